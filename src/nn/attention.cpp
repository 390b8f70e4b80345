// MultiHeadAttention, and positions.
#include <limits>

#include "base/fail.h"
#include "pellucid/nn_attention.h"

namespace pellucid::nn {

using base::fail;
using base::format;

// ---- Positions ------------------------------------------------------------------------------------------------------

namespace {

/// base^(-2 i / features) for i < count.
Array powers(double base, std::int64_t features, std::int64_t count) {
  const Array rate = log(full({}, base, float64)) * (-2 / static_cast<double>(features));
  return exp(astype(arange(count), float64) * rate);
}

}  // namespace

Array rotary(const Array& x, const Array& positions, double base) {
  if (x.rank() < 3) fail("rotary: x has shape {}; it must be (..., T, H, D)", x.shape());
  const std::int64_t t = x.size(-3), d = x.size(-1);
  if (d % 2 != 0) fail("rotary: x {} has {} features; pairs need an even number", x.shape(), d);
  if (positions.defined() && positions.shape() != Shape{t}) {
    fail("rotary: positions {} for x {}; they must be ({})", positions.shape(), x.shape(), t);
  }
  // Angles in float64: float32 loses digits of positions beyond a few thousand.
  const Array at = astype(positions.defined() ? positions : arange(t), float64);
  const Array angle = reshape(outer(at, powers(base, d, d / 2)), {t, 1, d / 2});
  const Array c = astype(cos(angle), x.dtype()), s = astype(sin(angle), x.dtype());
  const Array a = slice(x, -1, 0, d / 2), b = slice(x, -1, d / 2, d);
  return concat({a * c - b * s, b * c + a * s}, -1);
}

Array sinusoids(std::int64_t length, std::int64_t features, DType dtype) {
  if (length < 0 || features < 1) fail("sinusoids: sizes {} and {} must be positive", length, features);
  const std::int64_t pairs = (features + 1) / 2;
  const Array at = astype(arange(length), float64);
  const Array angle = outer(at, powers(10000, features, pairs));
  const Array both = reshape(stack({sin(angle), cos(angle)}, -1), {length, 2 * pairs});
  return astype(slice(both, -1, 0, features), dtype);
}

namespace {

/// Throws unless x is (..., T, features).
void check_sequence(const Call& call, const Array& x, std::int64_t features, const char* name = "x") {
  if (x.rank() < 2 || x.size(-1) != features) {
    call.fail(format("{} has shape {}, and must be (N, T, {}) or (T, {})", name, x.shape(), features, features));
  }
}

}  // namespace

SinusoidalPositions::SinusoidalPositions(std::int64_t features) : features_(features) {
  if (features < 1) fail("SinusoidalPositions: {} features; there must be at least one", features);
}

Array SinusoidalPositions::operator()(const Array& x) const {
  const Call call(*this, "SinusoidalPositions");
  check_sequence(call, x, features_);
  return call.done(x + sinusoids(x.size(-2), features_, x.dtype()));
}

LearnedPositions::LearnedPositions(std::int64_t length, std::int64_t features, LearnedPositionsOptions options) {
  if (length < 1 || features < 1) fail("LearnedPositions: sizes {} and {} must be positive", length, features);
  if (!options.weight_initializer) options.weight_initializer = init::normal(0, 0.02);
  weight = Parameter({length, features}, std::move(options.weight_initializer), options.dtype);
}

Array LearnedPositions::operator()(const Array& x, const Array& first) const {
  const Call call(*this, "LearnedPositions");
  const std::int64_t length = weight.value.size(0);
  check_sequence(call, x, weight.value.size(1));
  const std::int64_t t = x.size(-2);
  if (t > length) call.fail(format("x has shape {}: {} positions, but there are {} at most", x.shape(), t, length));
  const Array& table = weight;
  if (first.defined()) return call.done(x + take(table, first + arange(t)));
  return call.done(x + (t == length ? table : slice(table, 0, 0, t)));
}

Options LearnedPositions::options() const {
  return {{"length", weight.value.size(0)}, {"features", weight.value.size(1)}};
}

// ---- MultiHeadAttention ---------------------------------------------------------------------------------------------

namespace {

/// The number of groups that is meant; throws where sizes do not fit.
std::int64_t checked_groups(std::int64_t features, std::int64_t heads, const MultiHeadAttentionOptions& options) {
  if (features < 1 || heads < 1) {
    fail("MultiHeadAttention: {} features and {} heads; both must be positive", features, heads);
  }
  if (features % heads != 0) {
    fail("MultiHeadAttention: {} heads do not divide {} features", heads, features);
  }
  const std::int64_t groups = options.groups == 0 ? heads : options.groups;
  if (groups < 1 || heads % groups != 0) {
    fail("MultiHeadAttention: {} groups do not divide {} heads", options.groups, heads);
  }
  if (options.memory_features < 0) {
    fail("MultiHeadAttention: {} features of the memory; there must be at least one", options.memory_features);
  }
  if (options.rotary_base && (features / heads % 2 != 0 || !(*options.rotary_base > 1))) {
    fail(
        "MultiHeadAttention: rotary positions need an even number of features in a head, not {}, and a base above 1, "
        "not {}",
        features / heads, *options.rotary_base);
  }
  return groups;
}

LinearOptions linear_options(const MultiHeadAttentionOptions& options, bool last) {
  LinearOptions result;
  result.bias = options.bias;
  result.dtype = options.dtype;
  result.weight_initializer =
      last && options.output_weight_initializer ? options.output_weight_initializer : options.weight_initializer;
  return result;
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(std::int64_t features, std::int64_t heads, MultiHeadAttentionOptions options)
    : query(std::max<std::int64_t>(features, 1), std::max<std::int64_t>(features, 1), linear_options(options, false)),
      key(1, 1),
      value(1, 1),
      output(std::max<std::int64_t>(features, 1), std::max<std::int64_t>(features, 1), linear_options(options, true)),
      features_(features),
      heads_(heads),
      groups_(checked_groups(features, heads, options)),
      options_(std::move(options)) {
  const std::int64_t from = options_.memory_features == 0 ? features : options_.memory_features;
  const std::int64_t to = features / heads * groups_;
  key = Linear(from, to, linear_options(options_, false));
  value = Linear(from, to, linear_options(options_, false));
  if (options_.dropout != 0) dropout.emplace(options_.dropout);
}

Array MultiHeadAttention::split(const Array& x, std::int64_t heads) const {
  Shape shape = x.shape();
  shape.back() /= heads;
  shape.insert(shape.end() - 1, heads);
  return reshape(x, shape);
}

Array MultiHeadAttention::finish(const Array& mixed) const {
  Shape shape(mixed.shape().begin(), mixed.shape().end() - 1);
  shape.back() = features_;
  const Array y = output(reshape(mixed, shape));
  return dropout ? (*dropout)(y) : y;
}

Array MultiHeadAttention::operator()(const Array& x, const AttentionInputs& inputs) const {
  const Call call(*this, "MultiHeadAttention");
  check_sequence(call, x, features_);
  const Array& memory = inputs.memory.defined() ? inputs.memory : x;
  check_sequence(call, memory, key.weight.value.size(0), inputs.memory.defined() ? "the memory" : "x");
  const Shape leading(x.shape().begin(), x.shape().end() - 2);
  if (Shape(memory.shape().begin(), memory.shape().end() - 2) != leading) {
    call.fail(format("x {} and the memory {} differ in the batch", x.shape(), memory.shape()));
  }
  Array q = split(query(x), heads_), k = split(key(memory), groups_);
  const Array v = split(value(memory), groups_);
  if (options_.rotary_base) {
    q = rotary(q, {}, *options_.rotary_base);
    k = rotary(k, {}, *options_.rotary_base);
  }
  AttentionOptions options;
  options.causal = options_.causal;
  options.mask = inputs.mask;
  if (inputs.lengths.defined()) {
    const std::int64_t s = memory.size(-2);
    const Array& lengths = inputs.lengths;
    if (lengths.shape() != leading || !is_integer(lengths.dtype())) {
      call.fail(format("lengths are {}{}; they must be integers of the batch's shape {}", lengths.dtype(),
                       lengths.shape(), leading));
    }
    if (lengths.evaluated()) {
      for (std::int64_t length : lengths.to_vector<std::int64_t>()) {
        if (length < 0 || length > s) {
          call.fail(format("a length of {} for a sequence of {}; lengths are between 0 and that", length, s));
        }
      }
    }
    Shape shape = leading;
    shape.insert(shape.end(), {1, 1, s});
    const Array there = reshape(arange(s) < expand_dims(lengths, -1), shape);
    if (!options.mask.defined()) {
      options.mask = there;
    } else if (options.mask.dtype() == bool_) {
      options.mask = options.mask & there;
    } else {
      options.mask = where(there, options.mask, -std::numeric_limits<double>::infinity());
    }
  }
  return call.done(finish(scaled_dot_product_attention(q, k, v, options)));
}

KeyValueCache MultiHeadAttention::cache(std::int64_t batch, std::int64_t length) const {
  if (batch < 0 || length < 1) {
    fail("MultiHeadAttention: a cache of {} sequences of {} positions; there must be at least one position", batch,
         length);
  }
  const Shape shape = {batch, length, groups_, features_ / heads_};
  return {zeros(shape, key.weight.value.dtype()), zeros(shape, key.weight.value.dtype())};
}

Array MultiHeadAttention::operator()(const Array& x, KeyValueCache& cache, const Array& first) const {
  const Call call(*this, "MultiHeadAttention");
  check_sequence(call, x, features_);
  const Shape& held = cache.keys.shape();
  const std::int64_t t = x.size(-2);
  if (x.rank() != 3 || held.size() != 4 || held != cache.values.shape() || held[0] != x.size(0) || held[2] != groups_ ||
      held[3] != features_ / heads_) {
    call.fail(format("x {} and a cache of {}; they must be (N, T, {}) and (N, S, {}, {})", x.shape(), held, features_,
                     groups_, features_ / heads_));
  }
  const std::int64_t s = held[1];
  if (t > s) call.fail(format("x has {} positions, and the cache holds {}", t, s));
  const Array positions = first + arange(t), slots = arange(s);
  Array q = split(query(x), heads_), k = split(key(x), groups_);
  const Array v = split(value(x), groups_);
  if (options_.rotary_base) {
    q = rotary(q, positions, *options_.rotary_base);
    k = rotary(k, positions, *options_.rotary_base);
  }
  const Array from = slots - first;
  const Array taken = reshape((from >= 0) & (from < t), {s, 1, 1});
  const auto put = [&](const Array& fresh, const Array& old) {
    return where(taken, t == 1 ? fresh : take(fresh, clip(from, 0, t - 1), 1), old);
  };
  cache.keys = put(k, cache.keys);
  cache.values = put(v, cache.values);
  AttentionOptions options;
  options.mask = slots <= expand_dims(positions, -1);
  return call.done(finish(scaled_dot_product_attention(q, cache.keys, cache.values, options)));
}

Options MultiHeadAttention::options() const {
  Options result = {{"features", features_},
                    {"heads", heads_},
                    {"causal", options_.causal},
                    {"groups", groups_},
                    {"memory_features", key.weight.value.size(0)},
                    {"bias", options_.bias},
                    {"dropout", options_.dropout}};
  if (options_.rotary_base) result.emplace_back("rotary_base", *options_.rotary_base);
  return result;
}

}  // namespace pellucid::nn
