// Embedding and EmbeddingBag.
#include <limits>

#include "base/fail.h"
#include "pellucid/nn_sequence.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

/// The table of an embedding; the padding's row starts at zero.
Parameter table_of(std::string_view type, std::int64_t count, std::int64_t features,
                   std::optional<std::int64_t> padding_index, init::Initializer initializer, DType dtype, bool frozen) {
  if (count < 1 || features < 1) fail("{}: sizes {} and {} must be positive", type, count, features);
  if (padding_index && (*padding_index < 0 || *padding_index >= count)) {
    fail("{}: padding_index {} is no index of {} rows, 0 to {}", type, *padding_index, count, count - 1);
  }
  if (!initializer) initializer = init::normal(0, 1);
  if (padding_index) {
    initializer = [initial = std::move(initializer), at = *padding_index](const random::Key& key, const Shape& shape,
                                                                          DType type_of_values) {
      return where(equal(expand_dims(arange(shape[0]), -1), at), 0.0, initial(key, shape, type_of_values));
    };
  }
  Parameter table({count, features}, std::move(initializer), dtype);
  table.trainable = !frozen;
  return table;
}

/// Indices that `take` can be given: checked where their values are there; else negative ones, which would count from
/// the end, are moved out of range.
Array checked(const Call& call, const Array& indices, std::int64_t count) {
  if (!indices.defined()) call.fail("the indices are an undefined Array");
  if (!is_integer(indices.dtype())) {
    call.fail(format("the indices have type {}; they must be int32 or int64", indices.dtype()));
  }
  if (!indices.evaluated()) return where(indices < 0, count, indices);
  const std::vector<std::int64_t> values = indices.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= 0 && values[i] < count) continue;
    call.fail(format("index {} (element {} of shape {}) is out of range; there are {} rows, 0 to {}", values[i], i,
                     indices.shape(), count, count - 1));
  }
  return indices;
}

/// The rows, with no gradient for the padding's and for a frozen table.
Array rows_of(const Array& table, const Array& indices, std::optional<std::int64_t> padding_index, bool frozen) {
  if (frozen) return take(stop_gradient(table), indices);
  const Array rows = take(table, indices);
  if (!padding_index) return rows;
  return where(expand_dims(equal(indices, *padding_index), -1), stop_gradient(rows), rows);
}

void describe_padding(Options& options, std::optional<std::int64_t> padding_index) {
  if (padding_index) options.emplace_back("padding_index", *padding_index);
}

}  // namespace

// ---- Embedding ------------------------------------------------------------------------------------------------------

Embedding::Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options)
    : weight(table_of("Embedding", count, features, options.padding_index, std::move(options.weight_initializer),
                      options.dtype, options.frozen)),
      padding_index_(options.padding_index),
      frozen_(options.frozen) {}

Embedding Embedding::pretrained(const Array& weight, bool frozen, std::optional<std::int64_t> padding_index) {
  if (!weight.defined() || weight.rank() != 2 || !is_float(weight.dtype())) {
    fail("Embedding: a table must be a floating array (count, features), not {}",
         weight.defined() ? to_string(weight.shape()) : std::string("undefined"));
  }
  EmbeddingOptions options;
  options.padding_index = padding_index;
  options.frozen = frozen;
  options.weight_initializer = [weight](const random::Key&, const Shape&, DType) { return weight; };
  options.dtype = weight.dtype();
  Embedding layer(weight.size(0), weight.size(1), std::move(options));
  layer.weight = Parameter(weight);
  layer.weight.trainable = !frozen;
  return layer;
}

Array Embedding::operator()(const Array& indices) const {
  const Call call(*this, "Embedding");
  const Array at = checked(call, indices, weight.value.size(0));
  return call.done(rows_of(weight, at, padding_index_, frozen_));
}

Options Embedding::options() const {
  Options list{{"count", weight.value.size(0)}, {"features", weight.value.size(1)}, {"frozen", frozen_}};
  describe_padding(list, padding_index_);
  return list;
}

// ---- EmbeddingBag ---------------------------------------------------------------------------------------------------

EmbeddingBag::EmbeddingBag(std::int64_t count, std::int64_t features, EmbeddingBagOptions options)
    : weight(table_of("EmbeddingBag", count, features, options.padding_index, std::move(options.weight_initializer),
                      options.dtype, options.frozen)),
      mode_(options.mode),
      padding_index_(options.padding_index),
      frozen_(options.frozen) {}

namespace {

/// Which entries count, of the indices' shape; undefined where all do.
Array both(const Array& a, const Array& b) {
  if (!a.defined()) return b;
  return b.defined() ? a & b : a;
}

void check_integers(const Call& call, std::string_view what, const Array& x, const Shape& shape) {
  if (x.shape() != shape || !is_integer(x.dtype())) {
    call.fail(format("{} are {} of shape {}; they must be integers of shape {}", what, x.dtype(), x.shape(), shape));
  }
}

/// Rows (N, T, F) of bags side by side -> (N, F).
Array over_rows(BagMode mode, const Array& rows, const Array& counted) {
  const Array mask = counted.defined() ? expand_dims(counted, -1) : Array();
  const Array kept = mask.defined() ? where(mask, rows, 0.0) : rows;
  if (mode == BagMode::kSum) return sum(kept, 1);
  const std::int64_t n = rows.size(0), t = rows.size(1), f = rows.size(2);
  if (t == 0) return zeros({n, f}, rows.dtype());
  if (mode == BagMode::kMean) {
    if (!mask.defined()) return mean(rows, 1);
    return sum(kept, 1) / maximum(sum(astype(mask, rows.dtype()), 1), 1.0);
  }
  const Array open = mask.defined() ? where(mask, rows, -std::numeric_limits<double>::infinity()) : rows;
  const Array first = argmax(stop_gradient(open), 1, true);
  return squeeze(take_along_axis(kept, first, 1), 1);
}

/// The position of the first largest element of each segment of x (count, F), ascending segments (count): by segments
/// of 1, 2, 4, ... elements. -1 where nothing counts.
Array largest_of_segments(const Array& x, const Array& segment, const Array& counted, std::int64_t bags) {
  const std::int64_t count = x.size(0), f = x.size(1);
  Array best = stop_gradient(x), at = broadcast_to(expand_dims(arange(count), -1), {count, f});
  if (counted.defined()) {
    const Array mask = expand_dims(counted, -1);
    at = where(mask, at, std::int64_t{-1});
  }
  // After a round, (best, at) is over the elements i - 2 * step + 1 ... i of i's own segment.
  for (std::int64_t step = 1; step < count; step *= 2) {
    const auto earlier = [&](const Array& y, const Array& fill) {
      std::vector<std::pair<std::int64_t, std::int64_t>> widths(static_cast<std::size_t>(y.rank()), {0, 0});
      widths[0] = {step, 0};
      return pad(slice(y, 0, 0, count - step), widths, fill);
    };
    const Array same = expand_dims(equal(earlier(segment, std::int64_t{-1}), segment), -1);
    const Array other = earlier(best, 0.0), other_at = earlier(at, std::int64_t{-1});
    const Array wins = same & (other_at >= 0) & ((at < 0) | (other >= best));
    best = where(wins, other, best);
    at = where(wins, other_at, at);
  }
  // The last element of each segment knows the whole of it.
  const Array ends = searchsorted(segment, arange(bags), true);
  const Array starts = searchsorted(segment, arange(bags), false);
  const Array last = take(at, maximum(ends - 1, std::int64_t{0}));
  return where(expand_dims(ends > starts, -1), last, std::int64_t{-1});
}

/// Rows (count, F) one behind the other, in segments -> (bags, F).
Array over_segments(BagMode mode, const Array& rows, const Array& segment, const Array& counted, std::int64_t bags) {
  const std::int64_t f = rows.size(1);
  if (rows.size(0) == 0) return zeros({bags, f}, rows.dtype());
  if (mode == BagMode::kMax) {
    const Array at = largest_of_segments(rows, segment, counted, bags);
    const Array none = at < 0;
    return where(none, 0.0, take_along_axis(rows, where(none, std::int64_t{0}, at), 0));
  }
  const Array kept = counted.defined() ? where(expand_dims(counted, -1), rows, 0.0) : rows;
  const Array total = scatter_add(zeros({bags, f}, rows.dtype()), segment, kept);
  if (mode == BagMode::kSum) return total;
  const Array ones_of = counted.defined() ? astype(counted, rows.dtype()) : ones({rows.size(0)}, rows.dtype());
  const Array number = scatter_add(zeros({bags}, rows.dtype()), segment, ones_of);
  return total / expand_dims(maximum(number, 1.0), -1);
}

void check_offsets(const Call& call, const Array& offsets, std::int64_t count) {
  if (!offsets.evaluated()) return;
  const std::vector<std::int64_t> at = offsets.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (i == 0 ? at[0] != 0 : at[i] < at[i - 1] || at[i] > count) {
      call.fail(format("offset {} of bag {} does not fit; offsets must begin with 0 and ascend to at most {}", at[i], i,
                       count));
    }
  }
}

void check_lengths(const Call& call, const Array& lengths, std::int64_t most) {
  if (!lengths.evaluated()) return;
  const std::vector<std::int64_t> values = lengths.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] > most) {
      call.fail(format("length {} of bag {} is out of range; a bag has 0 to {} entries", values[i], i, most));
    }
  }
}

}  // namespace

Array EmbeddingBag::operator()(const Array& indices, const Bags& bags) const {
  const Call call(*this, "EmbeddingBag");
  const Array at = checked(call, indices, weight.value.size(0));
  const bool flat = bags.offsets.defined();
  if (flat && bags.lengths.defined()) call.fail("both offsets and lengths are given; give one of them");
  if (indices.rank() != (flat ? 1 : 2)) {
    call.fail(format("the indices have shape {}; they must be {}", indices.shape(),
                     flat ? "one list (count) where offsets are given" : "(bags, entries), or a list with offsets"));
  }
  if (bags.weights.defined()) {
    if (mode_ != BagMode::kSum) call.fail("weights of entries are for the mode sum");
    if (bags.weights.shape() != indices.shape()) {
      call.fail(format("the weights have shape {}, and the indices {}", bags.weights.shape(), indices.shape()));
    }
  }
  Array rows = rows_of(weight, at, padding_index_, frozen_);
  if (bags.weights.defined()) rows = rows * expand_dims(astype(bags.weights, rows.dtype()), -1);
  Array counted = padding_index_ ? not_equal(at, *padding_index_) : Array();
  if (flat) {
    if (bags.offsets.rank() != 1) call.fail(format("the offsets have shape {}, not (bags)", bags.offsets.shape()));
    check_integers(call, "the offsets", bags.offsets, bags.offsets.shape());
    check_offsets(call, bags.offsets, indices.size(0));
    const Array segment = searchsorted(astype(bags.offsets, int64), arange(indices.size(0)), true) - 1;
    return call.done(over_segments(mode_, rows, segment, counted, bags.offsets.size(0)));
  }
  if (bags.lengths.defined()) {
    check_integers(call, "the lengths", bags.lengths, {indices.size(0)});
    check_lengths(call, bags.lengths, indices.size(1));
    counted = both(counted, arange(indices.size(1)) < expand_dims(astype(bags.lengths, int64), -1));
  }
  return call.done(over_rows(mode_, rows, counted));
}

Options EmbeddingBag::options() const {
  const char* names[] = {"sum", "mean", "max"};
  Options list{{"count", weight.value.size(0)},
               {"features", weight.value.size(1)},
               {"mode", std::string(names[static_cast<int>(mode_)])},
               {"frozen", frozen_}};
  describe_padding(list, padding_index_);
  return list;
}

}  // namespace pellucid::nn
