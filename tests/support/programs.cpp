// Random programs over maps, reductions, views, contractions, indexing and loops.
#include "support/programs.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include <fmt/format.h>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : bits_(seed * 0x9E3779B97F4A7C15ULL + 12345) {}
  /// A whole number in [0, n).
  Size below(Size n) { return static_cast<Size>(bits_() % static_cast<std::uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }
  double real(double low, double high) { return low + (high - low) * static_cast<double>(bits_() >> 11) * 0x1p-53; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(static_cast<Size>(list.size())))];
  }

 private:
  std::mt19937_64 bits_;
};

constexpr Size kMostElements = 300000;

Size count(const Shape& shape) { return std::accumulate(shape.begin(), shape.end(), Size{1}, std::multiplies<>()); }

Shape draw_shape(Drawer& draw, bool large) {
  if (!large) {
    Shape shape;
    const Size rank = draw.below(4);
    for (Size d = 0; d < rank; ++d) shape.push_back(draw.of<Size>({1, 2, 3, 4, 5, 8, 9, 17}));
    if (draw.chance(2) && !shape.empty()) shape[static_cast<std::size_t>(draw.below(rank))] = 0;
    return shape;
  }
  // Sizes on both sides of the tile, of the longest whole row, and of the pieces.
  static const std::vector<Shape> shapes = {{33, 1024}, {9, 1025},  {130, 513}, {2050, 17}, {70000, 1},   {1, 70000},
                                            {3, 16384}, {3, 16385}, {2, 70001}, {300, 300}, {65, 16, 33}, {5, 7, 2048},
                                            {100000},   {4097, 3},  {17, 4096}, {1000, 64}};
  return draw.of(shapes);
}

class Program {
 public:
  Program(const ProgramOptions& options, const Arrays& arguments, std::string* text)
      : options_(options), draw_(options.seed), pool_(arguments), text_(text) {
    for (int step = 0; step < options.steps; ++step) make_step();
  }
  const Arrays& pool() const { return pool_; }
  Drawer& draw() { return draw_; }

 private:
  const Array& any() {
    // Later values more often, so that chains grow.
    const auto n = static_cast<Size>(pool_.size());
    return pool_[static_cast<std::size_t>(draw_.chance(60) ? n - 1 - draw_.below(std::min<Size>(n, 3))
                                                           : draw_.below(n))];
  }
  void keep(const char* name, const Array& x) {
    if (x.size() > kMostElements || x.rank() > 6) return;
    pool_.push_back(x.dtype() == options_.dtype ? x : astype(x, options_.dtype));
    if (options_.eager) pool_.back().evaluate();
    if (text_ != nullptr) *text_ += fmt::format("  %{} = {} {}\n", pool_.size() - 1, name, to_string(x.shape()));
  }

  /// A value that broadcasts with x: often of the same shape, else a row, a column, a scalar.
  Array partner(const Array& x) {
    for (int attempt = 0; attempt < 6; ++attempt) {
      const Array& y = pool_[static_cast<std::size_t>(draw_.below(static_cast<Size>(pool_.size())))];
      if (fits(y.shape(), x.shape())) return y;
    }
    if (x.rank() > 0 && draw_.chance(50)) {
      const int axis = static_cast<int>(draw_.below(x.rank()));
      return draw_.chance(50) ? sum(x, axis, true) * 0.01 : mean(x, axis, true);
    }
    if (draw_.chance(30)) return mean(x);
    return cos(x);
  }
  static bool fits(const Shape& from, const Shape& to) {
    if (from.size() > to.size()) return false;
    for (std::size_t d = 1; d <= from.size(); ++d) {
      if (from[from.size() - d] != 1 && from[from.size() - d] != to[to.size() - d]) return false;
    }
    return true;
  }

  void make_step() {
    const Size kind = draw_.below(100);
    if (kind < 25) {
      unary();
    } else if (kind < 50) {
      binary();
    } else if (kind < 65) {
      reduction();
    } else if (kind < 85) {
      view();
    } else if (kind < 92) {
      contraction();
    } else if (kind < 95) {
      movement();
    } else if (kind < 98) {
      composed();
    } else {
      loop();
    }
  }

  void unary() {
    const Array& x = any();
    switch (draw_.below(options_.smooth ? 8 : 16)) {
      case 0:
        return keep("tanh", tanh(x));
      case 1:
        return keep("sin", sin(x));
      case 2:
        return keep("sigmoid", sigmoid(x));
      case 3:
        return keep("halved", x * 0.5 + 0.25);
      case 4:
        return keep("negative", -x);
      case 5:
        return keep("one over", 1 / (1.5 + square(tanh(x))));
      case 6:
        return keep("gelu of tanh", gelu(tanh(x)));
      case 7:
        return keep("exp", exp(-square(x)));
      case 8:
        return keep("relu", relu(x));
      case 9:
        return keep("abs", abs(x));
      case 10:
        return keep("times one", x * 1.0);
      case 11:
        return keep("round", round(x * 3) / 3.0);
      case 12:
        return keep("through another type",
                    astype(astype(x, options_.dtype == float64 ? float32 : float64), options_.dtype));
      case 13:
        return keep("through int32", astype(astype(x * 100, int32), options_.dtype) / 100);
      case 14:
        return keep("sign bit", where(signbit(x), 0.5, x));
      default:
        return keep("isfinite", astype(isfinite(x), options_.dtype) - 0.5);
    }
  }

  void binary() {
    const Array x = any();
    const Array y = partner(x);
    switch (draw_.below(options_.smooth ? 5 : 10)) {
      case 0:
        return keep("add", x + y);
      case 1:
        return keep("subtract", y - x);
      case 2:
        return keep("multiply", x * y);
      case 3:
        return keep("divide", x / (1.5 + square(tanh(y))));
      case 4:
        return keep("lerp", lerp(x, y, sigmoid(partner(x))));
      case 5:
        return keep("maximum", maximum(x, y));
      case 6:
        return keep("minimum", minimum(y, x));
      case 7:
        return keep("where", where(x > y, x, y * 0.5));
      case 8:
        return keep("where of scalars", where(x > y, x, 0.125));
      default:
        return keep("equal", astype(equal(x, y), options_.dtype) + x);
    }
  }

  void reduction() {
    const Array& x = any();
    std::vector<int> list;
    for (int d = 0; d < x.rank(); ++d) {
      if (draw_.chance(50)) list.push_back(d);
    }
    const Axes axes = list.empty()
                          ? (draw_.chance(30) || x.rank() == 0 ? Axes() : Axes(static_cast<int>(draw_.below(x.rank()))))
                          : Axes(list);
    const bool keepdims = draw_.chance(60);
    const bool empty = x.size() == 0;
    const Size which = draw_.below(options_.smooth || empty ? 4 : 8);
    switch (which) {
      case 0:
        return keep("sum", sum(x, axes, keepdims) * 0.1);
      case 1:
        return keep("mean", empty ? sum(x, axes, keepdims) : mean(x, axes, keepdims));
      case 2:
        return keep("sum of squares", sum(square(x), axes, keepdims) * 0.01);
      case 3:
        return keep("softmax", x.rank() == 0 || empty ? tanh(x) : softmax(x, static_cast<int>(draw_.below(x.rank()))));
      case 4:
        return keep("max", max(x, axes, keepdims));
      case 5:
        return keep("min", min(x, axes, keepdims));
      case 6:
        return keep("var", var(x, axes, 0, keepdims));
      default:
        return keep("prod", prod(tanh(x) * 0.5 + 1, axes, keepdims) * 0x1p-40);
    }
  }

  Shape another_shape(const Array& x) {
    // The sizes' factors dealt out again.
    Size n = x.size();
    if (n == 0) return x.shape();
    Shape shape;
    while (n > 1 && shape.size() < 4) {
      Size factor = 1;
      const Size wanted = 1 + draw_.below(40);
      for (Size f = 1; f <= std::min(n, wanted); ++f) {
        if (n % f == 0) factor = f;
      }
      shape.push_back(factor);
      n /= factor;
    }
    shape.push_back(n);
    if (draw_.chance(50)) std::swap(shape.front(), shape.back());
    return shape;
  }

  void view() {
    const Array& x = any();
    const int rank = x.rank();
    switch (draw_.below(7)) {
      case 0:
        return keep("reshape", reshape(x, another_shape(x)));
      case 1: {
        std::vector<int> order(static_cast<std::size_t>(rank));
        std::iota(order.begin(), order.end(), 0);
        for (std::size_t d = order.size(); d > 1; --d)
          std::swap(order[d - 1], order[static_cast<std::size_t>(draw_.below(static_cast<Size>(d)))]);
        return keep("permute", permute(x, order));
      }
      case 2: {
        Shape start, stop, step;
        for (Size size : x.shape()) {
          const Size by = draw_.chance(60) ? 1 : 1 + draw_.below(3),
                     from = size == 0 ? 0 : draw_.below(std::min<Size>(size, 3));
          const bool back = draw_.chance(20) && size > 0;
          start.push_back(back ? size - 1 - from : from);
          stop.push_back(back ? -1 : size);
          step.push_back(back ? -by : by);
        }
        return keep("slice", slice(x, start, stop, step));
      }
      case 3: {
        Shape shape = x.shape();
        if (draw_.chance(50)) shape.insert(shape.begin(), 1 + draw_.below(4));
        for (Size& size : shape) {
          if (size == 1 && draw_.chance(60)) size = 1 + draw_.below(9);
        }
        if (count(shape) > kMostElements) return;
        return keep("broadcast_to", broadcast_to(x, shape));
      }
      case 4:
        return keep("expand_dims", expand_dims(x, static_cast<int>(draw_.below(rank + 1))));
      case 5:
        if (rank < 2) return;
        return keep("transpose", transpose(x));
      default:
        if (rank == 0) return;
        return keep("flip", flip(x, static_cast<int>(draw_.below(rank))));
    }
  }

  // Smooth programs keep their values small, or differences would see nothing but curvature.
  void contraction() {
    Array x = any();
    if (x.rank() == 0 || x.size() == 0) return;
    const Size k = x.shape().back();
    if (k > 5000 || x.size() / k > 5000) return;
    // The other side: another value with k rows, else one cut out of x itself.
    Array y;
    for (int attempt = 0; attempt < 4 && !y.defined(); ++attempt) {
      const Array& other = pool_[static_cast<std::size_t>(draw_.below(static_cast<Size>(pool_.size())))];
      if (other.rank() == 2 && other.shape()[0] == k && other.shape()[1] < 300) y = other;
      if (other.rank() == 2 && other.shape()[1] == k && other.shape()[0] < 300) y = transpose(other);
    }
    if (!y.defined()) y = transpose(slice(reshape(x, {x.size() / k, k}), 0, 0, std::min<Size>(x.size() / k, 9)));
    Array z = matmul(x, y) * (1.0 / static_cast<double>(k));
    if (!options_.smooth && draw_.chance(50)) z = matmul(x, y);
    if (draw_.chance(60)) {
      z = z + mean(y, 0);
      if (!options_.smooth && draw_.chance(60)) z = relu(z);
    }
    keep("matmul", z);
    if (draw_.chance(30)) keep("tanh of it", tanh(z * 0.1));
  }

  void movement() {
    const Array x = any();
    const int rank = x.rank();
    if (rank == 0 || x.size() == 0) return keep("stack", stack({x, x * 0.5}));
    const int axis = static_cast<int>(draw_.below(rank));
    const Size n = x.shape()[static_cast<std::size_t>(axis)];
    switch (draw_.below(options_.smooth ? 7 : 10)) {
      case 0:
        return keep("concat", concat({x, tanh(x), x}, axis));
      case 1:
        return keep("roll", roll(x, 1 + draw_.below(5), axis));
      case 2: {
        std::vector<std::pair<Size, Size>> widths(static_cast<std::size_t>(rank));
        for (auto& [before, after] : widths) {
          before = draw_.below(3);
          after = draw_.below(3);
        }
        return keep("pad", pad(x, widths, 0.5));
      }
      case 3: {
        std::vector<Size> at(static_cast<std::size_t>(1 + draw_.below(5)));
        for (Size& i : at) i = draw_.below(2 * n) - n;
        return keep("take", take(x, Array::from(at), axis));
      }
      case 4:
        return keep("cumsum", cumsum(x, axis) * 0.125);
      case 5: {
        std::vector<Size> at(static_cast<std::size_t>(n));
        for (Size& i : at) i = draw_.below(n);
        return keep("scatter_add", scatter_add(zeros_like(x), Array::from(at), x, axis));
      }
      case 6:
        return keep("two halves", concat({slice(x, axis, n / 2, n), slice(x, axis, 0, n / 2)}, axis));
      case 7:
        return keep("sort", sort(x, axis));
      case 8:
        return keep("argmax", astype(argmax(x, axis, true), options_.dtype) * 0.01);
      default:
        return keep("cummax", cummax(x, axis));
    }
  }

  /// What is made of several primitives, of constants, of whole numbers or of random ones.
  void composed() {
    const Array x = any();
    const int rank = x.rank();
    if (rank == 0 || x.size() == 0) return keep("plus a constant", x + full({}, 0.25, options_.dtype));
    const int axis = static_cast<int>(draw_.below(rank));
    const Size n = x.shape()[static_cast<std::size_t>(axis)];
    Shape along(static_cast<std::size_t>(rank), 1);
    along[static_cast<std::size_t>(axis)] = n;
    switch (draw_.below(options_.smooth ? 6 : 13)) {
      case 0:
        return keep("plus positions", x + reshape(astype(arange(n), options_.dtype) * 0.01, along));
      case 1:
        return keep("logsumexp", logsumexp(x, axis, true));
      case 2:
        return keep("einsum", einsum("...i,...i->...", {x, tanh(x)}) * 0.1);
      case 3: {
        const Arrays parts = n > 8 ? split(x, {n / 3, n / 2}, axis) : unstack(x, axis);
        Array total = sum(parts[0] * 0.5);
        for (std::size_t i = 1; i < parts.size(); ++i) total = total - sum(parts[i]) * 0.125;
        keep("a part", parts.back());
        return keep("sums of parts", total);
      }
      case 4:
        return keep("noise", x + random::uniform(random::key(options_.seed), x.shape(), -1, 1, options_.dtype) * 0.1);
      case 5:
        return keep("triangle", rank < 2 ? cumsum(x, axis) * 0.1 : tril(x));
      case 6: {
        const Array whole = astype(x * 100, int32);
        return keep(
            "whole numbers",
            astype(bitwise_left_shift(floor_divide(whole, 7) ^ (remainder(whole, 5) + 1), 1), options_.dtype) * 0.01);
      }
      case 7:
        return keep("logic", where(((x > 0) & (x < 0.5)) | !(abs(x) > 0.1), x, -x));
      case 8: {
        const TopK top = topk(x, (n + 1) / 2, axis);
        keep("positions of the largest", astype(top.indices, options_.dtype) * 0.01);
        return keep("the largest", top.values);
      }
      case 9:
        return keep("along an axis", take_along_axis(x, argsort(-x, axis), axis));
      case 10:
        return keep("norm", norm(x, axis, draw_.chance(50) ? 2 : 3, true) * 0.1);
      case 11:
        return keep("repeat", count(x.shape()) * 2 > kMostElements ? x * x : repeat(x, 2, axis));
      default:
        return keep("cumprod", cumprod(tanh(x) * 0.25 + 1, axis) * 0x1p-20);
    }
  }

  void loop() {
    const Array x = any();
    if (x.rank() == 0 || x.size() == 0 || x.shape()[0] > 40)
      return keep("stop_gradient", options_.smooth ? x * 0.5 : stop_gradient(x));
    const Array scale = mean(x);
    if (draw_.chance(30))
      return keep("checkpoint", checkpoint([](const Array& y) { return tanh(sin(y) * 0.5 + y); })(x));
    const Array first = reshape(slice(x, 0, 0, 1), Shape(x.shape().begin() + 1, x.shape().end()));
    const ScanStep result = scan(
        [&](const Arrays& carry, const Arrays& row) {
          const Array next = tanh(carry[0] * 0.5 + row[0] + scale);
          return ScanStep{{next}, {next * row[0]}};
        },
        {first}, {x}, -1, draw_.chance(30));
    keep("scan, carry", result.carry[0]);
    keep("scan, ys", result.ys[0]);
  }

  ProgramOptions options_;
  Drawer draw_;
  Arrays pool_;
  std::string* text_;
};

}  // namespace

Arrays program_arguments(const ProgramOptions& options) {
  Drawer draw(options.seed ^ 0xABCDEF);
  Arrays arguments;
  const Size n = 2 + draw.below(3);
  for (Size i = 0; i < n; ++i) {
    const Shape shape =
        i > 0 && draw.chance(40) ? arguments[0].shape() : draw_shape(draw, options.large && (i < 2 || draw.chance(50)));
    std::vector<double> values(static_cast<std::size_t>(count(shape)));
    for (double& v : values) v = draw.real(-1, 1);
    arguments.push_back(astype(Array::from(values, shape), options.dtype).evaluate());
  }
  return arguments;
}

Arrays run_program(const ProgramOptions& options, const Arrays& arguments, std::size_t results, std::string* text) {
  Program program(options, arguments, text);
  Arrays chosen{program.pool().back()};
  while (chosen.size() < results) chosen.push_back(program.draw().of(program.pool()));
  return chosen;
}

Arrays run_step(const ProgramOptions& options, const Arrays& arguments, std::size_t extras) {
  Program program(options, arguments, nullptr);
  Arrays result;
  for (const Array& state : arguments) {
    // Any value of the state's shape: a new one, the old one, another argument; else the old one changed.
    Arrays fitting;
    for (const Array& x : program.pool()) {
      if (x.shape() == state.shape()) fitting.push_back(x);
    }
    const Array& x = program.draw().of(fitting);
    const Size how = program.draw().below(4);
    result.push_back(how == 0 ? state - 0.1 * tanh(x) : how == 1 && x.rank() > 0 ? flip(x) : x);
  }
  while (extras-- > 0) result.push_back(program.draw().of(program.pool()));
  return result;
}

bool same_bits(const Array& a, const Array& b) { return difference(a, b).empty(); }

std::string difference(const Array& a, const Array& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    return fmt::format("{}{} and {}{}", name_of(a.dtype()), to_string(a.shape()), name_of(b.dtype()),
                       to_string(b.shape()));
  }
  const auto* x = static_cast<const std::byte*>(a.raw_data());
  const auto* y = static_cast<const std::byte*>(b.raw_data());
  const std::size_t size = size_of(a.dtype()), n = static_cast<std::size_t>(a.size());
  if (n == 0 || std::memcmp(x, y, n * size) == 0) return "";
  const std::vector<double> va = a.to_vector<double>(), vb = b.to_vector<double>();
  for (std::size_t i = 0; i < n; ++i) {
    if (std::memcmp(x + i * size, y + i * size, size) == 0 || (std::isnan(va[i]) && std::isnan(vb[i]))) continue;
    return fmt::format("element {} of {}: {:.17g} and {:.17g}", i, to_string(a.shape()), va[i], vb[i]);
  }
  return "";
}

}  // namespace pellucid::laws
