// Cases of the records of windows, and of pooling: references by walking over every window.
#include <algorithm>
#include <cmath>

#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

/// Windows over pictures: for each axis and window its positions.
struct Setting {
  Shape before;  // batch axes
  Shape in;
  Size channels = 1;
  std::vector<std::vector<Shape>> windows;  // [axis][window][k]
  Shape dilation;
  bool large = false;

  Shape out() const {
    Shape sizes;
    for (const auto& axis : windows) sizes.push_back(static_cast<Size>(axis.size()));
    return sizes;
  }
  Shape full(const Shape& sizes) const {
    Shape shape = before;
    shape.insert(shape.end(), sizes.begin(), sizes.end());
    shape.push_back(channels);
    return shape;
  }
  Shape x() const { return full(in); }
  Shape y() const { return full(out()); }
  std::string label() const { return to_string(x()) + " to " + to_string(y()); }
  Attributes attributes(double divisor = 1, DType index = uint8) const {
    Attributes a;
    a.integer = static_cast<Size>(in.size());
    a.shape = in;
    const Shape sizes = out();
    a.shape.insert(a.shape.end(), sizes.begin(), sizes.end());
    a.steps = dilation;
    for (const auto& axis : windows) {
      for (const Shape& window : axis) {
        a.axes.push_back(window.empty() ? 0 : window[0]);
        a.steps.push_back(static_cast<Size>(window.size()));
      }
    }
    a.real = divisor;
    a.dtype = index;
    return a;
  }
  /// Places in x of the elements under the window of the result at `at`, in order.
  std::vector<std::size_t> places(const Shape& at) const {
    std::vector<std::size_t> found;
    const std::size_t d = in.size(), b = before.size();
    Shape sizes;
    for (std::size_t i = 0; i < d; ++i) {
      sizes.push_back(static_cast<Size>(windows[i][static_cast<std::size_t>(at[b + i])].size()));
    }
    const Shape whole = x();
    for_each_position(sizes, [&](const Shape& k) {
      Shape from = at;
      for (std::size_t i = 0; i < d; ++i) {
        from[b + i] = windows[i][static_cast<std::size_t>(at[b + i])][static_cast<std::size_t>(k[i])];
      }
      found.push_back(flat(whole, from));
    });
    return found;
  }
  Size most() const {
    std::size_t n = 1;
    for (const auto& axis : windows) {
      std::size_t longest = 1;
      for (const Shape& window : axis) longest = std::max(longest, window.size());
      n *= longest;
    }
    return static_cast<Size>(n);
  }
};

std::vector<Shape> moving(Size in, Size kernel, Size stride, Size padding, Size dilation, Size count) {
  std::vector<Shape> windows;
  for (Size o = 0; o < count; ++o) {
    windows.emplace_back();
    for (Size k = 0; k < kernel; ++k) {
      const Size at = o * stride - padding + k * dilation;
      if (at >= 0 && at < in) windows.back().push_back(at);
    }
  }
  return windows;
}

std::vector<Shape> adaptive(Size in, Size out) {
  std::vector<Shape> windows;
  for (Size o = 0; o < out; ++o) {
    windows.emplace_back();
    for (Size at = o * in / out; at * out < (o + 1) * in; ++at) windows.back().push_back(at);
  }
  return windows;
}

struct Axis {
  Size in, kernel, stride = 1, padding = 0, dilation = 1, more = 0;
};
Setting setting(const Shape& before, const std::vector<Axis>& axes, Size channels, bool large = false) {
  Setting s;
  s.before = before;
  s.channels = channels;
  s.large = large;
  for (const Axis& a : axes) {
    s.in.push_back(a.in);
    s.dilation.push_back(a.dilation);
    const Size count = (a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1) / a.stride + 1 + a.more;
    s.windows.push_back(moving(a.in, a.kernel, a.stride, a.padding, a.dilation, count));
  }
  return s;
}

Expected greatest(const Setting& s, const Tensor& x, std::vector<Real>* which = nullptr) {
  Expected e{{s.y(), x.dtype, {}}, {}};
  for_each_position(s.y(), [&](const Shape& at) {
    const std::vector<std::size_t> places = s.places(at);
    std::size_t best = 0;
    for (std::size_t k = 1; k < places.size(); ++k) {
      const Real v = x.values[places[k]], b = x.values[places[best]];
      if (!std::isnan(b) && (v > b || std::isnan(v))) best = k;
    }
    e.y.values.push_back(x.values[places[best]]);
    if (which != nullptr) which->push_back(static_cast<Real>(best));
  });
  return e;
}

Expected summed(const Setting& s, const Tensor& x, const std::function<Real(const Shape& at)>& divisor,
                Real divisions = 1) {
  Expected e{{s.y(), x.dtype, {}}, {}};
  for_each_position(s.y(), [&](const Shape& at) {
    Real value = 0, magnitudes = 0;
    const std::vector<std::size_t> places = s.places(at);
    for (std::size_t place : places) {
      value += x.values[place];
      magnitudes += fabsl(x.values[place]);
    }
    const Real over = divisor(at);
    e.y.values.push_back(value / over);
    e.slack.push_back((static_cast<Real>(places.size()) + divisions) * unit_of(x.dtype) * magnitudes / over);
  });
  return e;
}

void add_records(std::vector<Case>& list, const Setting& s, DType index = uint8) {
  const Layout covers = has_zero(s.x()) ? Layout::kEmpty : Layout::kContiguous;
  const auto add = [&](const char* record, std::vector<Operand> operands, Function make, auto reference) {
    Case c{record, s.label() + (index == uint8 ? "" : " int32"), std::move(operands), std::move(make), reference};
    c.covers = covers;
    c.large = s.large;
    list.push_back(std::move(c));
  };
  const Operand which{s.y(), Role::kIndex, 0, static_cast<double>(s.most())};
  const auto indexed = [](const char* record, const Attributes& a) {
    return [record, a](const Arrays& x) {
      return ops::make_all(*ops::find_record(record), {x[0], astype(x[1], a.dtype)}, a);
    };
  };
  add("window_max", {{s.x()}}, node_of("window_max", s.attributes(1, index)), [=](const List& x) {
    Expected places{{s.y(), index, {}}, {}};
    Expected e = greatest(s, x[0], &places.y.values);
    return std::vector<Expected>{std::move(e), std::move(places)};
  });
  add("window_take", {{s.x()}, which}, indexed("window_take", s.attributes(1, index)), [=](const List& x) {
    Expected e{{s.y(), x[0].dtype, {}}, {}};
    for_each_position(s.y(), [&](const Shape& at) {
      const std::vector<std::size_t> places = s.places(at);
      const auto k = static_cast<std::size_t>(x[1].values[flat(s.y(), at)]);
      e.y.values.push_back(k < places.size() ? x[0].values[places[k]] : 0);
    });
    return std::vector<Expected>{e};
  });
  const auto back = [=](const List& x, bool put, Real divisor) {
    const auto n = static_cast<std::size_t>(count_of(s.x()));
    Expected e{{s.x(), x[0].dtype, std::vector<Real>(n)}, std::vector<Real>(n)};
    std::vector<Real> counts(n);
    for_each_position(s.y(), [&](const Shape& at) {
      const std::vector<std::size_t> places = s.places(at);
      const std::size_t from = flat(s.y(), at);
      for (std::size_t k = 0; k < places.size(); ++k) {
        if (put && static_cast<std::size_t>(x[1].values[from]) != k) continue;
        e.y.values[places[k]] += x[0].values[from] / divisor;
        e.slack[places[k]] += fabsl(x[0].values[from] / divisor);
        counts[places[k]] += 1;
      }
    });
    for (std::size_t i = 0; i < n; ++i) {
      e.slack[i] *= counts[i] + divisor > 2 ? (counts[i] + 1) * unit_of(x[0].dtype) : 0;
    }
    return std::vector<Expected>{e};
  };
  add("window_put", {{s.y()}, which}, indexed("window_put", s.attributes(1, index)),
      [=](const List& x) { return back(x, true, 1); });
  if (index != uint8) return;
  add("window_sum", {{s.x()}}, node_of("window_sum", s.attributes(3)),
      [=](const List& x) { return std::vector<Expected>{summed(s, x[0], [](const Shape&) { return Real{3}; })}; });
  add("window_spread", {{s.y()}}, node_of("window_spread", s.attributes(3)),
      [=](const List& x) { return back(x, false, 3); });
}

// ---- Pooling --------------------------------------------------------------------------------------------------------

void add_pooling(std::vector<Case>& list, const std::string& name, const Setting& s, Function make, bool greatest_of,
                 const std::function<Real(const Shape& at)>& divisor = {}) {
  Case c{name, s.label(), {{s.x()}}, std::move(make), {}};
  c.composed = true;
  c.dtypes = {float32, float64};
  c.reference = [=](const List& x) {
    return std::vector<Expected>{greatest_of ? greatest(s, x[0]) : summed(s, x[0], divisor, 2)};
  };
  list.push_back(std::move(c));
}

void add_poolings(std::vector<Case>& list) {
  const Setting plain = setting({2}, {{6, 2, 2}, {7, 2, 2}}, 3);
  add_pooling(
      list, "max_pool", plain,
      [](const Arrays& x) {
        return Arrays{max_pool(x[0], {.kernel = {2, 2}})};
      },
      true);
  const Setting padded = setting({2}, {{5, 3, 2, 1, 1, 0}, {6, 3, 2, 1, 1, 1}}, 2);
  const Window window{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .ceil_mode = true};
  add_pooling(
      list, "max_pool", padded, [window](const Arrays& x) { return Arrays{max_pool(x[0], window)}; }, true);
  // Windows that hang over the end count what is inside the padded picture.
  const auto with_padding = [](const Shape& at) { return Real{3} * (at[2] == 3 ? 2 : 3); };
  add_pooling(
      list, "average_pool", padded, [window](const Arrays& x) { return Arrays{average_pool(x[0], window)}; }, false,
      with_padding);
  const auto inside = [padded](const Shape& at) { return static_cast<Real>(padded.places(at).size()); };
  Window without = window;
  without.count_include_pad = false;
  add_pooling(
      list, "average_pool", padded, [without](const Arrays& x) { return Arrays{average_pool(x[0], without)}; }, false,
      inside);
  Setting parts = setting({2}, {{5, 1}, {7, 1}}, 2);
  parts.windows = {adaptive(5, 3), adaptive(7, 4)};
  add_pooling(
      list, "adaptive_max_pool", parts,
      [](const Arrays& x) {
        return Arrays{adaptive_max_pool(x[0], {3, 4})};
      },
      true);
  add_pooling(
      list, "adaptive_average_pool", parts,
      [](const Arrays& x) {
        return Arrays{adaptive_average_pool(x[0], {3, 4})};
      },
      false, [parts](const Shape& at) { return static_cast<Real>(parts.places(at).size()); });
  Setting all = setting({2}, {{3, 3}, {4, 4}}, 2);
  const auto global = [&](const char* name, Array (*pool)(const Array&, int), bool max) {
    add_pooling(
        list, name, all, [pool](const Arrays& x) { return Arrays{pool(x[0], 2)}; }, max,
        [](const Shape&) { return Real{12}; });
    list.back().reference = [of = list.back().reference](const List& x) {
      std::vector<Expected> e = of(x);
      e[0].y.shape = {2, 2};
      return e;
    };
  };
  global("global_max_pool", global_max_pool, true);
  global("global_average_pool", global_average_pool, false);
}

}  // namespace

void add_window_cases(std::vector<Case>& list) {
  add_records(list, setting({2}, {{6, 2, 2}, {8, 2, 2}}, 3));
  add_records(list, setting({2}, {{6, 2, 2}, {9, 2, 2}}, 6));
  add_records(list, setting({}, {{7, 3, 2, 1}, {8, 3, 2, 1}}, 9));
  add_records(list, setting({2, 2}, {{5, 3, 1, 1}, {6, 3, 1, 1}}, 1));
  add_records(list, setting({3}, {{11, 3, 2, 2, 2}}, 2));
  add_records(list, setting({1}, {{4, 2, 1}, {6, 3, 2, 1, 1, 1}, {6, 2, 3}}, 5));
  add_records(list, setting({2}, {{6, 2, 2}, {8, 3, 2, 1}}, 4), int32);
  add_records(list, setting({0}, {{6, 2, 2}, {8, 2, 2}}, 3));
  add_records(list, setting({2}, {{6, 2, 2}, {8, 2, 2}}, 0));
  add_records(list, setting({3}, {{60, 2, 2}, {70, 2, 2}}, 6, true));
  add_records(list, setting({3}, {{40, 3, 2, 1}, {50, 3, 2, 1}}, 20, true));
  add_poolings(list);
}

}  // namespace pellucid::laws
