// Operands, layouts and comparisons for the law tests.
#include "support/laws.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include <fmt/format.h>

#include "pellucid/ops.h"

namespace pellucid::laws {

const char* name_of(Layout layout) {
  constexpr const char* names[] = {"contiguous", "transposed", "broadcast", "empty", "scalar"};
  return names[static_cast<std::size_t>(layout)];
}

std::int64_t count_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

void for_each_position(const Shape& shape, const std::function<void(const Shape& at)>& f) {
  if (count_of(shape) == 0) return;
  Shape at(shape.size(), 0);
  while (true) {
    f(at);
    std::size_t d = shape.size();
    while (d > 0 && ++at[d - 1] == shape[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

std::size_t flat(const Shape& shape, const Shape& at) {
  std::int64_t i = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return static_cast<std::size_t>(i);
}

Real unit_of(DType dtype) { return dtype == float64 ? 0x1p-53L : dtype == float32 ? 0x1p-24L : 0x1p-8L; }

Real rounded(Real x, DType dtype) {
  const auto wrapped = [&](int bits, bool sign) {
    const Real range = ldexpl(1, bits);
    Real r = fmodl(truncl(x), range);
    if (r < 0) r += range;
    return sign && r >= range / 2 ? r - range : r;
  };
  switch (dtype) {
    case DType::kBool:
      return x != 0 ? 1 : 0;
    case DType::kUInt8:
      return wrapped(8, false);
    case DType::kInt32:
      return wrapped(32, true);
    case DType::kInt64:
      return wrapped(64, true);
    case DType::kBFloat16:
      return array::to_float(array::to_bfloat16(static_cast<float>(x)));
    case DType::kFloat32:
      return static_cast<float>(x);
    default:
      return static_cast<double>(x);
  }
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = [] {
    ops::constant_record();  // these four are registered when they are first asked for
    ops::placeholder_record();
    ops::alias_record();
    ops::barrier_record();
    std::vector<Case> all;
    add_map_cases(all);
    add_data_cases(all);
    add_index_cases(all);
    add_rule_cases(all);
    add_composed_cases(all);
    add_composed_movement_cases(all);
    add_convolve_cases(all);
    add_attention_cases(all);
    add_waves_cases(all);
    add_window_cases(all);
    return all;
  }();
  return list;
}

const ops::Record& record_of(const Case& c) {
  static const auto blank = [](bool differentiable) {
    ops::Record record;
    record.differentiable = differentiable;
    return record;
  };
  static const ops::Record smooth = blank(true), flat_everywhere = blank(false);
  if (c.composed) return c.differentiable ? smooth : flat_everywhere;
  return *ops::find_record(c.record);
}

std::vector<DType> types_of(const Case& c) {
  if (!c.dtypes.empty()) return c.dtypes;
  const std::vector<DType>& own = record_of(c).dtypes;
  return own.empty() ? std::vector<DType>(kAllDTypes.begin(), kAllDTypes.end()) : own;
}

namespace {

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : bits_(seed) {}
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(bits_() % static_cast<std::uint64_t>(n)); }
  double unit() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  std::mt19937_64& bits() { return bits_; }

 private:
  std::mt19937_64 bits_;
};

/// Whole numbers of a range that the type and the products of two of them fit.
std::pair<std::int64_t, std::int64_t> whole_range(double low, double high, DType dtype) {
  if (low < 0) return {dtype == uint8 ? 0 : -9, 9};
  return {static_cast<std::int64_t>(std::ceil(low)), static_cast<std::int64_t>(std::floor(high))};
}

/// The shape that is really stored for a broadcast operand: one axis is of size 1.
Shape repeated_shape(Shape shape, std::size_t which) {
  if (!shape.empty()) shape[which % shape.size()] = std::min<std::int64_t>(shape[which % shape.size()], 1);
  return shape;
}

Tensor repeated(const Tensor& x, const Shape& shape) {
  Tensor y{shape, x.dtype, {}};
  y.values.reserve(static_cast<std::size_t>(count_of(shape)));
  for_each_position(shape, [&](const Shape& at) {
    Shape from = at;
    for (std::size_t d = 0; d < from.size(); ++d) from[d] = std::min(from[d], x.shape[d] - 1);
    y.values.push_back(x.values[flat(x.shape, from)]);
  });
  return y;
}

Tensor draw(const Operand& operand, const ops::Record& record, DType dtype, const Shape& shape, Drawer& drawer) {
  Tensor x{shape, operand.role == Role::kData ? dtype : operand.role == Role::kMask ? bool_ : int64, {}};
  const auto n = static_cast<std::size_t>(count_of(shape));
  x.values.resize(n);
  double low = operand.low, high = operand.high;
  if (operand.role == Role::kData && low == high) {
    low = record.domain[0];
    high = record.domain[1];
  }
  if (operand.role == Role::kKey) {
    for (Real& v : x.values) v = static_cast<std::int64_t>(drawer.bits()());
  } else if (operand.role == Role::kIndex) {
    for (Real& v : x.values)
      v = std::floor(low) + static_cast<double>(drawer.below(static_cast<std::int64_t>(high - low)));
  } else if (x.dtype == bool_) {
    for (Real& v : x.values) v = static_cast<Real>(drawer.below(2));
  } else if (!is_float(dtype)) {
    const auto [first, last] = whole_range(low, high, dtype);
    for (Real& v : x.values) v = static_cast<Real>(first + drawer.below(last - first + 1));
  } else {
    std::vector<std::size_t> place(n);
    std::iota(place.begin(), place.end(), std::size_t{0});
    std::shuffle(place.begin(), place.end(), drawer.bits());
    const double step = (high - low) / static_cast<double>(std::max<std::size_t>(n, 1));
    for (std::size_t i = 0; i < n; ++i) {
      double v = low + step * (static_cast<double>(place[i]) + 0.3 + 0.4 * drawer.unit());
      const double nearest = std::round(v * 2) / 2;  // kinks lie at whole and half numbers
      if (n < 200 && std::abs(v - nearest) < 0.01 * std::min(step, 1.0)) v = nearest + 0.01 * std::min(step, 1.0);
      x.values[i] = rounded(v, dtype);
    }
  }
  if (operand.sorted) std::sort(x.values.begin(), x.values.end());
  return x;
}

}  // namespace

std::vector<Tensor> draw_operands(const Case& c, DType dtype, Layout layout, std::uint64_t seed) {
  Drawer drawer(seed * 1000003 + std::hash<std::string>()(c.record + c.label));
  std::vector<Tensor> list;
  for (std::size_t i = 0; i < c.operands.size(); ++i) {
    Shape shape = c.operands[i].shape;
    if (c.any_shape && layout == Layout::kEmpty) shape = {3, 0, 2};
    if (c.any_shape && layout == Layout::kScalar) shape = {};
    if (layout != Layout::kBroadcast) {
      list.push_back(draw(c.operands[i], record_of(c), dtype, shape, drawer));
    } else {
      list.push_back(repeated(draw(c.operands[i], record_of(c), dtype, repeated_shape(shape, i), drawer), shape));
    }
  }
  return list;
}

std::vector<Tensor> draw_ties(const Case& c, DType dtype, std::uint64_t seed) {
  Drawer drawer(seed * 1000033 + std::hash<std::string>()(c.record + c.label));
  std::vector<Tensor> list = draw_operands(c, dtype, Layout::kContiguous, seed);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (c.operands[i].role != Role::kData) continue;
    for (Real& v : list[i].values) v = static_cast<Real>(drawer.below(3) - 1);
    if (c.operands[i].sorted) std::sort(list[i].values.begin(), list[i].values.end());
  }
  return list;
}

Array to_array(const Tensor& x, Layout layout, std::size_t which) {
  const auto dense = [](const Tensor& t) {
    const std::size_t size = size_of(t.dtype);
    std::vector<std::byte> bytes(t.values.size() * size + 8);
    for (std::size_t i = 0; i < t.values.size(); ++i) {
      if (t.dtype == int64) {
        const auto v = static_cast<std::int64_t>(t.values[i]);
        std::memcpy(bytes.data() + i * size, &v, size);
      } else {
        array::set_element(bytes.data(), t.dtype, static_cast<std::int64_t>(i), static_cast<double>(t.values[i]));
      }
    }
    return Array::from_memory(bytes.data(), t.values.size(), t.shape, t.dtype);
  };
  const std::size_t rank = x.shape.size();
  if (layout == Layout::kBroadcast) {
    const Shape stored = repeated_shape(x.shape, which);
    Tensor small{stored, x.dtype, {}};
    for_each_position(stored, [&](const Shape& at) { small.values.push_back(x.values[flat(x.shape, at)]); });
    return broadcast_to(dense(small), x.shape);
  }
  if (layout != Layout::kTransposed) return dense(x);
  if (rank == 0) {
    Tensor three{{3}, x.dtype, {0, x.values[0], 0}};
    return index(dense(three), {1});
  }
  if (rank == 1) {  // every second element, from the back
    const auto n = static_cast<std::int64_t>(x.values.size());
    if (n == 0) return dense(x);
    Tensor twice{{2 * n}, x.dtype, std::vector<Real>(static_cast<std::size_t>(2 * n), 0)};
    for (std::size_t i = 0; i < x.values.size(); ++i)
      twice.values[static_cast<std::size_t>(2 * n - 1) - 2 * i] = x.values[i];
    return slice(dense(twice), 0, 2 * n - 1, -1, -2);
  }
  Tensor turned{Shape(x.shape.rbegin(), x.shape.rend()), x.dtype, {}};
  for_each_position(turned.shape, [&](const Shape& at) {
    turned.values.push_back(x.values[flat(x.shape, Shape(at.rbegin(), at.rend()))]);
  });
  std::vector<int> order(rank);
  for (std::size_t d = 0; d < rank; ++d) order[d] = static_cast<int>(rank - 1 - d);
  return permute(dense(turned), order);
}

Arrays to_arrays(const std::vector<Tensor>& x, Layout layout) {
  Arrays list;
  for (std::size_t i = 0; i < x.size(); ++i) list.push_back(to_array(x[i], layout, i));
  return list;
}

Tensor to_tensor(const Array& x) {
  Tensor t{x.shape(), x.dtype(), {}};
  const void* data = x.raw_data();
  for (std::int64_t i = 0; i < x.size(); ++i) {
    t.values.push_back(x.dtype() == int64 ? static_cast<Real>(static_cast<const std::int64_t*>(data)[i])
                                          : static_cast<Real>(array::element(data, x.dtype(), i)));
  }
  return t;
}

std::string compare(const Expected& expected, const Array& got) {
  if (got.shape() != expected.y.shape || got.dtype() != expected.y.dtype) {
    return fmt::format("{}{} where {}{} is right", pellucid::name_of(got.dtype()), to_string(got.shape()),
                       pellucid::name_of(expected.y.dtype), to_string(expected.y.shape));
  }
  const Tensor y = to_tensor(got);
  if (y.values.size() != expected.y.values.size()) return "the reference has another number of elements";
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const Real a = y.values[i], b = expected.y.values[i];
    if (std::isnan(a) && std::isnan(b)) continue;
    const Real slack = expected.slack.empty() ? 0 : expected.slack[i];
    const Real as_stored = is_float(y.dtype) ? rounded(b, y.dtype) : b;
    if (a == as_stored && (a != 0 || slack != 0 || std::signbit(a) == std::signbit(b) || !is_float(y.dtype))) continue;
    if (std::isfinite(a) && std::isfinite(b) && fabsl(a - b) <= slack) continue;
    return fmt::format("element {} of {}{}: {:.17g} where {:.17g} is right, within {:.3g}", i,
                       pellucid::name_of(y.dtype), to_string(y.shape), static_cast<double>(a), static_cast<double>(b),
                       static_cast<double>(slack));
  }
  return "";
}

Function node_of(const std::string& record, const Attributes& attributes) {
  return [record, attributes](const Arrays& x) { return ops::make_all(*ops::find_record(record), x, attributes); };
}

std::function<std::vector<Expected>(const std::vector<Tensor>&)> moved(
    const Shape& shape, const std::function<bool(const Shape& at, Shape& from)>& from) {
  return [shape, from](const std::vector<Tensor>& x) {
    Expected e{{shape, x[0].dtype, {}}, {}};
    for_each_position(shape, [&](const Shape& at) {
      Shape place;
      e.y.values.push_back(from(at, place) ? x[0].values[flat(x[0].shape, place)] : 0);
    });
    return std::vector<Expected>{e};
  };
}

bool has_zero(const Shape& shape) { return std::find(shape.begin(), shape.end(), 0) != shape.end(); }
Layout covers(const Shape& in, const Shape& out) {
  return has_zero(in) || has_zero(out) ? Layout::kEmpty : in.empty() ? Layout::kScalar : Layout::kContiguous;
}

std::uint64_t digest(const Arrays& results, std::uint64_t start) {
  std::uint64_t hash = start;
  const auto mix = [&](std::uint64_t word) { hash = (hash ^ word) * 0x100000001B3ULL; };
  for (const Array& y : results) {
    const auto* data = static_cast<const std::byte*>(y.raw_data());
    const std::size_t size = size_of(y.dtype());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, data + static_cast<std::size_t>(i) * size, size);
      if (is_float(y.dtype()) && std::isnan(array::element(data, y.dtype(), i))) word = 1;
      mix(word);
    }
  }
  return hash;
}

}  // namespace pellucid::laws
