// Random arrays: two primitives (bits of a key, a key folded with a number), and distributions composed on top of them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/thread_pool.h"
#include "ops/composed.h"
#include "pellucid/random.h"

namespace pellucid::ops {
namespace {

// ---- Primitives -----------------------------------------------------------------------------------------------------

// The leading axes of a key (..., 2) are those of a batch.
Shape batch_of(const Record& self, const Array& key) {
  const Shape& shape = key.shape();
  if (shape.empty() || shape.back() != 2 || key.dtype() != int64) {
    fail(self.name, "a key is int64 of shape (..., 2), not {} of shape {}", key.dtype(), shape);
  }
  return Shape(shape.begin(), shape.end() - 1);
}

Record random_bits_definition() {
  Record record;
  record.name = "random_bits";
  record.summary = "int32, the bits of Philox4x32-10 under a key, counted by element";
  record.shapes = "(..., 2) -> (..., shape)";
  record.differentiable = false;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    Shape shape = batch_of(self, inputs[0]);
    shape.insert(shape.end(), attributes.shape.begin(), attributes.shape.end());
    element_count(shape, "random_bits");
    outputs.push_back({std::move(shape), DType::kInt32, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t keys = count_of(signature.inputs[0]) / 2, n = count_of(signature.attributes.shape);
    return [keys, n](void* const* y, const void* const* x) {
      constexpr std::int64_t kPiece = 32768;  // a multiple of the four words of one evaluation
      const std::int64_t pieces = (n + kPiece - 1) / kPiece;
      base::parallel_for(keys * pieces, [&](std::int64_t i) {
        const std::int64_t key = i / pieces, first = i % pieces * kPiece;
        kernels::random_bits(static_cast<std::int32_t*>(y[0]) + key * n + first,
                             static_cast<const std::int64_t*>(x[0]) + 2 * key, static_cast<std::uint64_t>(first),
                             static_cast<std::size_t>(std::min(kPiece, n - first)));
      });
    };
  };
  record.dtypes = {int64};
  record.ulp = 0;
  return record;
}
const Record& kRandomBits = define(random_bits_definition());

Record random_fold_definition() {
  Record record;
  record.name = "random_fold";
  record.summary = "a key of its own for each key and number";
  record.shapes = "(..., 2), (...) -> (..., 2)";
  record.arity = 2;
  record.differentiable = false;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
    if (batch_of(self, inputs[0]) != inputs[1].shape() || inputs[1].dtype() != int64) {
      fail(self.name, "key {} and data {} of {}: they must be (..., 2) and (...) of int64", inputs[0].shape(),
           inputs[1].shape(), inputs[1].dtype());
    }
    outputs.push_back({inputs[0].shape(), DType::kInt64, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t keys = count_of(signature.inputs[1]);
    return [keys](void* const* y, const void* const* x) {
      const auto* key = static_cast<const std::int64_t*>(x[0]);
      const auto* data = static_cast<const std::int64_t*>(x[1]);
      for (std::int64_t i = 0; i < keys; ++i) {
        kernels::random_fold(static_cast<std::int64_t*>(y[0]) + 2 * i, key + 2 * i, data[i]);
      }
    };
  };
  record.dtypes = {int64};
  record.ulp = 0;
  return record;
}
const Record& kRandomFold = define(random_fold_definition());

// ---- Checks ---------------------------------------------------------------------------------------------------------

void check_key(std::string_view name, const Array& key) {
  check_defined(name, key);
  if (key.dtype() != int64 || key.shape() != Shape{2}) {
    fail(name, "the key is {} of shape {}; make keys with random::key, split or fold_in", key.dtype(), key.shape());
  }
}

void check_float(std::string_view name, DType dtype) {
  if (dtype != float32 && dtype != float64) {
    fail(name, "is not defined for {}; draw float32 or float64 and cast with astype", dtype);
  }
}

/// A parameter of a distribution: of its type, and of a shape that repeats to that of the result.
Array parameter(std::string_view name, std::string_view what, const Array& x, const Shape& shape, DType dtype) {
  check_defined(name, x);
  const Shape& from = x.shape();
  bool fits = from.size() <= shape.size();
  for (std::size_t d = 1; fits && d <= from.size(); ++d) {
    fits = from[from.size() - d] == 1 || from[from.size() - d] == shape[shape.size() - d];
  }
  if (!fits) fail(name, "{} of shape {} does not broadcast to {}", what, from, shape);
  return astype(x, dtype);
}

/// The value of a scalar that is there already, or NaN.
double known(const Array& x) {
  if (x.rank() != 0 || !x.evaluated()) return std::numeric_limits<double>::quiet_NaN();
  const Output& out = x.node()->outputs[x.output()];
  return array::element(out.storage->data(), out.dtype, out.offset);
}

// ---- Bits to numbers ------------------------------------------------------------------------------------------------

Array bits_of(const Array& key, const Shape& shape) {
  Attributes attributes;
  attributes.shape = shape;
  return make(kRandomBits, {key}, std::move(attributes));
}

/// Two words for each element, int32.
std::pair<Array, Array> words_of(const Array& key, const Shape& shape) {
  Shape both{2};
  both.insert(both.end(), shape.begin(), shape.end());
  element_count(both, "random");
  const Array words = bits_of(key, both);
  return {index(words, {0}), index(words, {1})};
}

/// An int32 word as an int64 in [0, 2^32).
Array unsigned_word(const Array& word) { return bitwise_and(astype(word, int64), constant_int64(0xffffffff)); }

/// k / 2^24 (or 2^53) for uniform k >= 0: in [0, 1), every value exact.
Array unit(const Array& key, const Shape& shape, DType dtype) {
  if (dtype == float32) {
    return astype(right_shift_logical(bits_of(key, shape), Array(8)), float32) * constant(0x1p-24, float32);
  }
  const auto [high, low] = words_of(key, shape);
  const Array upper = bitwise_left_shift(unsigned_word(high), Array(21));
  return astype(bitwise_or(upper, bitwise_right_shift(unsigned_word(low), Array(11))), float64) *
         constant(0x1p-53, float64);
}

/// Uniform on the odd multiples of 2^-24 (or 2^-53) in (-1, 1): exact, symmetrical, and never -1, 0 or 1.
Array symmetric_unit(const Array& key, const Shape& shape, DType dtype) {
  if (dtype == float32) {
    const Array odd = bitwise_or(bitwise_right_shift(bits_of(key, shape), Array(7)), Array(1));
    return astype(odd, float32) * constant(0x1p-24, float32);
  }
  const auto [high, low] = words_of(key, shape);
  const Array upper = bitwise_left_shift(astype(high, int64), Array(22));
  const Array lower = bitwise_or(bitwise_right_shift(unsigned_word(low), Array(10)), Array(1));
  return astype(bitwise_or(upper, lower), float64) * constant(0x1p-53, float64);
}

/// Uniform in (0, 1) with all digits near 0: multiples of 2^-32 (2^-64) and a half, rounded, below 1.
Array open_unit(const Array& key, const Shape& shape, DType dtype) {
  if (dtype == float32) {
    const Array word = bits_of(key, shape);
    const Array upper = astype(right_shift_logical(word, Array(8)), float32) * constant(0x1p-24, float32);
    const Array lower = (astype(bitwise_and(word, Array(255)), float32) + 0.5) * constant(0x1p-32, float32);
    return minimum(upper + lower, constant(1 - 0x1p-24, float32));
  }
  const auto [high, low] = words_of(key, shape);
  const Array upper = astype(unsigned_word(high), float64) * constant(0x1p-32, float64);
  const Array lower = (astype(unsigned_word(low), float64) + 0.5) * constant(0x1p-64, float64);
  return minimum(upper + lower, constant(1 - 0x1p-53, float64));
}

/// Standard normal: the inverse of the distribution function at (v + 1) / 2.
Array standard_normal(const Array& key, const Shape& shape, DType dtype) {
  return constant(1.4142135623730951, dtype) * erfinv(symmetric_unit(key, shape, dtype));
}

// ---- Truncation far in a tail ---------------------------------------------------------------------------------------

// Beyond this distance from 0 the tail's probability is taken from its asymptotic series and not from erfc.
constexpr double kSeriesFrom = 25;
constexpr double kRootHalf = 0.7071067811865476;

/// log(P(Z > x) sqrt(2 pi) x exp(x^2 / 2)) for x >= 25: log of 1 - 1/x^2 + 3/x^4 - 15/x^6 + ..., to 1e-17.
Array log_tail_correction(const Array& x) {
  const Array r = reciprocal(square(x));
  return log1p(-r * (1 - r * (3 - r * (15 - r * (105 - r * (945 - r * 10395))))));
}

/// log P(Z > x) + log sqrt(2 pi), for x > 0.
Array log_tail(const Array& x, double from) {
  if (from < kSeriesFrom) return log(erfc(x * kRootHalf)) + 0.22579135264472743;  // log(sqrt(2 pi) / 2)
  return -0.5 * square(x) - log(x) + log_tail_correction(x);
}

/// Normal conditioned on [low, high], 0 < low: with u uniform, P(Z > x) = P(Z > low) r and r = 1 - u (1 - ratio of the
/// tails); solved for x by Newton's method on log P, which is concave: from the right of the root it only descends.
Array far_tail(const Array& u, double low, double high) {
  const Array start = constant(low, float64);
  const double limit = std::min(high, low + 40);  // P(Z > low + 40) is below 1e-300 of P(Z > low)
  // Both tails by one formula where high is near low, so that their errors cancel.
  const Array at_low = log_tail(start, low);
  const Array ratio =
      exp(log_tail(constant(limit, float64), low < kSeriesFrom && limit < 37 ? low : kSeriesFrom) - at_low);
  const Array fall = log1p(u * (ratio - 1));
  Array x = sqrt(low * low - 2 * fall);
  for (int i = 0; i < 5; ++i) {
    const Array value = log_tail(x, low) - at_low;
    const Array hazard = exp(-0.5 * square(x) - log_tail(x, low));
    x = maximum(x + (value - fall) / hazard, start);
  }
  return x;
}

Array truncated(const Array& key, const Shape& shape, double low, double high, DType dtype) {
  // Float32 is enough for the middle of the distribution; its tails and narrow intervals need the digits of float64.
  const bool middle = low >= -3 && high <= 3 && high - low >= 1;
  const DType type = middle ? dtype : float64;
  const double nearest = low > 0 ? low : high < 0 ? -high : 0;
  if (nearest > 2) {
    const Array u = open_unit(key, shape, float64);
    const Array x = low > 0 ? far_tail(u, low, high) : -far_tail(u, -high, -low);
    return astype(x, dtype);
  }
  const Array u = (symmetric_unit(key, shape, type) + 1) * constant(0.5, type);
  const Array from = astype(erf(constant(low * kRootHalf, float64)), type);
  const Array to = astype(erf(constant(high * kRootHalf, float64)), type);
  const double most = type == float64 ? 1 - 0x1p-53 : 1 - 0x1p-24;
  const Array v = clip(from + u * (to - from), constant(-most, type), constant(most, type));
  return astype(constant(1.4142135623730951, type) * erfinv(v), dtype);
}

/// The upper 64 bits of the product of two unsigned 64-bit numbers: x of two words, and `range`.
Array product_high(const Array& x1, const Array& x0, std::uint64_t range) {
  const Array mask = constant_int64(0xffffffff);
  const Array r0 = constant_int64(static_cast<std::int64_t>(range & 0xffffffff));
  const auto upper = [](const Array& t) { return right_shift_logical(t, Array(32)); };
  const Array t00 = x0 * r0, t10 = x1 * r0;
  if (range >> 32 == 0) return upper(t10 + upper(t00));
  const Array r1 = constant_int64(static_cast<std::int64_t>(range >> 32));
  const Array t01 = x0 * r1, t11 = x1 * r1;
  const Array middle = upper(t00) + bitwise_and(t01, mask) + bitwise_and(t10, mask);
  return t11 + upper(t01) + upper(t10) + upper(middle);
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid::random {

using namespace ops;  // NOLINT: the helpers above

Key key(std::uint64_t seed) { return Array::from(std::vector<std::int64_t>{static_cast<std::int64_t>(seed), 0}); }

Key fold_in(const Key& key, const Array& data) {
  check_key("random::fold_in", key);
  check_defined("random::fold_in", data);
  if (data.rank() != 0 || !is_integer(data.dtype())) {
    fail("random::fold_in", "the data is {} of shape {}; it must be an integer scalar", data.dtype(), data.shape());
  }
  return make(kRandomFold, {key, astype(data, int64)});
}

std::vector<Key> split(const Key& key, int count) {
  check_key("random::split", key);
  if (count < 0) fail("random::split", "{} keys are asked for; the number must not be negative", count);
  std::vector<Key> keys;
  for (int i = 0; i < count; ++i) {
    // Far from the small numbers that fold_in is given.
    keys.push_back(make(kRandomFold, {key, constant_int64(std::numeric_limits<std::int64_t>::min() + i)}));
  }
  return keys;
}

Array bits(const Key& key, const Shape& shape) {
  check_key("random::bits", key);
  element_count(shape, "random::bits");
  return bits_of(key, shape);
}

Array uniform(const Key& key, const Shape& shape, const Array& low, const Array& high, DType dtype) {
  check_key("random::uniform", key);
  check_float("random::uniform", dtype);
  element_count(shape, "random::uniform");
  const Array from = parameter("random::uniform", "low", low, shape, dtype);
  const Array to = parameter("random::uniform", "high", high, shape, dtype);
  if (known(to) < known(from)) {
    fail("random::uniform", "high {} is below low {}; exchange them", known(to), known(from));
  }
  const Array u = unit(key, shape, dtype);
  if (is_scalar_constant(from, 0)) return is_scalar_constant(to, 1) ? u : u * to;
  // Rounding may reach `high`, which is not in the interval.
  const Array y = from + u * (to - from);
  return where(y < to, y, nextafter(to, from));
}

Array normal(const Key& key, const Shape& shape, const Array& mean, const Array& stddev, DType dtype) {
  check_key("random::normal", key);
  check_float("random::normal", dtype);
  element_count(shape, "random::normal");
  const Array center = parameter("random::normal", "mean", mean, shape, dtype);
  const Array spread = parameter("random::normal", "stddev", stddev, shape, dtype);
  if (known(spread) < 0) fail("random::normal", "stddev is {}; it must not be negative", known(spread));
  Array y = standard_normal(key, shape, dtype);
  if (!is_scalar_constant(spread, 1)) y = y * spread;
  return is_scalar_constant(center, 0) ? y : center + y;
}

Array truncated_normal(const Key& key, const Shape& shape, double low, double high, DType dtype) {
  check_key("random::truncated_normal", key);
  check_float("random::truncated_normal", dtype);
  element_count(shape, "random::truncated_normal");
  if (!(low < high)) fail("random::truncated_normal", "low {} is not below high {}", low, high);
  if (std::isinf(low) && std::isinf(high) && low < 0) return standard_normal(key, shape, dtype);
  const Array y = truncated(key, shape, low, high, dtype);
  // The bounds in the type of the result, rounded inwards.
  double least = low, most = high;
  if (dtype == float32) {
    const float infinity = std::numeric_limits<float>::infinity();
    float a = static_cast<float>(low), b = static_cast<float>(high);
    if (a < low) a = std::nextafter(a, infinity);
    if (b > high) b = std::nextafter(b, -infinity);
    if (a <= b) {
      least = a;
      most = b;
    }
  }
  return clip(y, constant(least, dtype), constant(most, dtype));
}

Array bernoulli(const Key& key, const Shape& shape, const Array& p) {
  check_key("random::bernoulli", key);
  element_count(shape, "random::bernoulli");
  check_defined("random::bernoulli", p);
  const DType type = p.dtype() == float64 ? float64 : float32;
  const Array share = parameter("random::bernoulli", "p", p, shape, type);
  if (known(share) < 0 || known(share) > 1) {
    fail("random::bernoulli", "p is {}; a probability lies in 0 to 1", known(share));
  }
  return unit(key, shape, type) < share;
}

Array integers(const Key& key, const Shape& shape, std::int64_t low, std::int64_t high, DType dtype) {
  check_key("random::integers", key);
  element_count(shape, "random::integers");
  if (high <= low)
    fail("random::integers", "low {} and high {}: high must be above low; it is not drawn itself", low, high);
  std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  if (dtype == int32) {
    least = std::numeric_limits<std::int32_t>::min();
    most = std::numeric_limits<std::int32_t>::max();
  } else if (dtype == uint8) {
    least = 0;
    most = 255;
  } else if (dtype != int64) {
    fail("random::integers", "is not defined for {}; it gives int64, int32 or uint8", dtype);
  }
  if (low < least || high - 1 > most) {
    fail("random::integers", "{} to {} does not fit {}, which holds {} to {}", low, high, dtype, least, most);
  }
  const auto [first, second] = words_of(key, shape);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const Array y = product_high(unsigned_word(first), unsigned_word(second), range);
  return astype(y + constant_int64(low), dtype);
}

Array permutation(const Key& key, std::int64_t n) {
  check_key("random::permutation", key);
  if (n < 0) fail("random::permutation", "the number of elements is {}; it must not be negative", n);
  // The order of 64-bit numbers; two of them are equal with probability n^2 / 2^65, and then keep their order.
  const auto [high, low] = words_of(key, {n});
  return argsort(bitwise_or(bitwise_left_shift(unsigned_word(high), Array(32)), unsigned_word(low)), 0);
}

Array gumbel(const Key& key, const Shape& shape, DType dtype) {
  check_key("random::gumbel", key);
  check_float("random::gumbel", dtype);
  element_count(shape, "random::gumbel");
  // With u for 1 - u: the long upper tail comes from small u, which has all its digits.
  return -log(-log1p(-open_unit(key, shape, dtype)));
}

Array categorical(const Key& key, const Array& logits) {
  check_key("random::categorical", key);
  check_defined("random::categorical", logits);
  if (logits.rank() == 0 || logits.shape().back() == 0) {
    fail("random::categorical",
         "logits of shape {}: the last axis holds the classes, of which there must be one at least", logits.shape());
  }
  const Array scores = astype(logits, logits.dtype() == float64 ? float64 : float32);
  return argmax(scores + gumbel(key, scores.shape(), scores.dtype()), -1);
}

}  // namespace pellucid::random
