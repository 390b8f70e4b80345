// Functions whose signatures in the array API standard (2024.12) are not those of the C++ functions.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <numeric>

#include "core.h"
#include "pellucid/ops.h"

namespace pellucid::python {

namespace {

using std::int64_t;

DType dtype_of_handle(nb::handle dtype) {
  DType value;
  if (!to_dtype(dtype, value)) throw nb::type_error("dtype: this is no element type");
  return value;
}

/// x in the type that a sum or product is to have.
Array in_type(const Array& x, nb::handle dtype) { return dtype.is_none() ? x : astype(x, dtype_of_handle(dtype)); }
Array to_type(const Array& y, nb::handle dtype) { return dtype.is_none() ? y : astype(y, dtype_of_handle(dtype)); }

int checked(const char* name, int axis, int rank) {
  if (axis < -rank || axis >= rank) {
    throw nb::index_error((std::string(name) + ": axis " + std::to_string(axis) + " is out of range for " +
                           std::to_string(rank) + " axes")
                              .c_str());
  }
  return axis < 0 ? axis + rank : axis;
}

Array flat(const Array& x) { return reshape(x, {-1}); }

/// Along `axis`, or over all elements where it is absent.
Array cumulative(const char* name, const Array& x, std::optional<int> axis, nb::handle dtype, bool initial,
                 Array (*f)(const Array&, int), double start) {
  if (!axis && x.rank() != 1) {
    throw nb::value_error(
        (std::string(name) + ": give an axis for an array of " + std::to_string(x.rank()) + " axes").c_str());
  }
  const int at = axis ? checked(name, *axis, x.rank()) : 0;
  Array wide = in_type(x, dtype);
  if (dtype.is_none() && !is_float(x.dtype()) && x.dtype() != DType::kInt64) wide = astype(wide, DType::kInt64);
  Array y = f(wide, at);
  if (initial) {
    Shape shape = y.shape();
    shape[static_cast<std::size_t>(at)] = 1;
    y = concat({full(shape, Array(start), y.dtype()), y}, at);
  }
  return y;
}

Array diff(Array x, int axis, int n, const Array& prepend, const Array& append) {
  const int at = checked("diff", axis, x.rank());
  if (n < 0) throw nb::value_error("diff: n must not be negative");
  if (prepend.defined()) x = concat({prepend, x}, at);
  if (append.defined()) x = concat({x, append}, at);
  for (int i = 0; i < n; ++i) {
    const int64_t size = x.size(at);
    const Array later = slice(x, at, std::min<int64_t>(1, size), size),
                earlier = slice(x, at, 0, std::max<int64_t>(size - 1, 0));
    x = x.dtype() == DType::kBool ? not_equal(later, earlier) : later - earlier;
  }
  return x;
}

/// The sorted elements, where each run of equal ones begins, and the order.
struct Runs {
  Array sorted, order, first;
};
Runs runs_of(const Array& x) {
  const Array all = flat(x);
  evaluate_released(all);
  if (all.size() == 0) return {all, zeros({0}, DType::kInt64), zeros({0}, DType::kBool)};
  const Array order = argsort(all), sorted = take(all, order);
  const Array first = concat(
      {ones({1}, DType::kBool), not_equal(slice(sorted, 0, 1, all.size()), slice(sorted, 0, 0, all.size() - 1))});
  return {sorted, order, first};
}

nb::object unique(const Array& x, const char* type, bool want_indices, bool want_inverse, bool want_counts) {
  const Runs runs = runs_of(x);
  evaluate_released(runs.first);
  const Array starts = nonzero(runs.first)[0];
  const Array values = take(runs.sorted, starts);
  nb::list parts;
  parts.append(nb::cast(values));
  if (want_indices) parts.append(nb::cast(take(runs.order, starts)));
  if (want_inverse) {
    Array inverse = zeros({x.size()}, DType::kInt64);
    if (x.size() > 0) {
      const Array rank = cumsum(astype(runs.first, DType::kInt64), 0) - Array(std::int64_t{1});
      inverse = take(rank, argsort(runs.order));
    }
    parts.append(nb::cast(reshape(inverse, x.shape())));
  }
  if (want_counts) {
    const Array ends = concat({slice(starts, 0, std::min<int64_t>(1, starts.size()), starts.size()),
                               full({std::min<int64_t>(1, starts.size())}, Array(x.size()), DType::kInt64)});
    parts.append(nb::cast(ends - starts));
  }
  return nb::module_::import_("pellucid._types").attr(type)(*nb::tuple(parts));
}

Array tensordot_of(const Array& x, const Array& y, nb::handle axes) {
  if (PyIndex_Check(axes.ptr()) != 0) return tensordot(x, y, nb::cast<int>(axes));
  Shape left, right;
  if (nb::len(axes) != 2 || !to_shape(axes[0], left) || !to_shape(axes[1], right)) {
    throw nb::value_error("tensordot: axes is a number, or two sequences of axes");
  }
  return tensordot(x, y, std::vector<int>(left.begin(), left.end()), std::vector<int>(right.begin(), right.end()));
}

std::vector<int> axis_list(const char* name, nb::handle axis) {
  Shape list;
  if (!to_shape(axis, list)) throw nb::type_error((std::string(name) + ": axes are integers").c_str());
  return {list.begin(), list.end()};
}

Array sorted_by(const Array& x, int axis, bool descending, bool order) {
  if (x.rank() == 0) throw nb::value_error("sort: a scalar has no axis to sort along");
  return order ? argsort(x, axis, descending) : sort(x, axis, descending);
}

void bind_reductions(nb::module_& m) {
  const auto summing = [&](const char* name, Array (*f)(const Array&, const Axes&, bool)) {
    m.def(
        name,
        [f](const Operand& x, const AxesArg& axis, nb::handle dtype, bool keepdims) {
          return to_type(f(in_type(x, dtype), axis, keepdims), dtype);
        },
        nb::arg("x"), nb::arg("axis") = nb::none(), nb::kw_only(), nb::arg("dtype") = nb::none(),
        nb::arg("keepdims") = false, doc_of(name));
  };
  summing("sum", &sum);
  summing("prod", &prod);
  const auto spread = [&](const char* name, Array (*f)(const Array&, const Axes&, double, bool)) {
    m.def(
        name,
        [f](const Operand& x, const AxesArg& axis, double correction, bool keepdims) {
          return f(x, axis, correction, keepdims);
        },
        nb::arg("x"), nb::arg("axis") = nb::none(), nb::kw_only(), nb::arg("correction") = 0.0,
        nb::arg("keepdims") = false, doc_of(name));
  };
  spread("var", &var);
  spread("std", &pellucid::std);
  const auto extreme = [&](const char* name, Array (*f)(const Array&, std::optional<int>, bool)) {
    m.def(
        name, [f](const Operand& x, std::optional<int> axis, bool keepdims) { return f(x, axis, keepdims); },
        nb::arg("x"), nb::arg("axis") = nb::none(), nb::kw_only(), nb::arg("keepdims") = false, doc_of(name));
  };
  extreme("argmax", &argmax);
  extreme("argmin", &argmin);
  m.def(
      "count_nonzero",
      [](const Operand& x, const AxesArg& axis, bool keepdims) {
        return sum(not_equal(x, x.array.dtype() == DType::kBool ? Array(false) : Array(0)), axis, keepdims);
      },
      nb::arg("x"), nb::arg("axis") = nb::none(), nb::kw_only(), nb::arg("keepdims") = false,
      "How many elements are not zero, int64.");
  m.def(
      "cumulative_sum",
      [](const Operand& x, std::optional<int> axis, nb::handle dtype, bool include_initial) {
        return cumulative("cumulative_sum", x, axis, dtype, include_initial, &cumsum, 0);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = nb::none(), nb::arg("dtype") = nb::none(),
      nb::arg("include_initial") = false, doc_of("cumsum"));
  m.def(
      "cumulative_prod",
      [](const Operand& x, std::optional<int> axis, nb::handle dtype, bool include_initial) {
        return cumulative("cumulative_prod", x, axis, dtype, include_initial, &cumprod, 1);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = nb::none(), nb::arg("dtype") = nb::none(),
      nb::arg("include_initial") = false, doc_of("cumprod"));
  m.def(
      "diff",
      [](const Operand& x, int axis, int n, const MaybeOperand& prepend, const MaybeOperand& append) {
        return diff(x, axis, n, prepend, append);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = -1, nb::arg("n") = 1, nb::arg("prepend") = nb::none(),
      nb::arg("append") = nb::none(), "Differences of neighbours along an axis, n times.");
}

void bind_movement(nb::module_& m) {
  m.def(
      "reshape",
      [](const Operand& x, const ShapeArg& shape, nb::handle copy) {
        static_cast<void>(copy);  // arrays never change, so nobody sees whether memory is shared
        return reshape(x, shape);
      },
      nb::arg("x"), nb::arg("shape"), nb::kw_only(), nb::arg("copy") = nb::none(), doc_of("reshape"));
  m.def(
      "squeeze", [](const Operand& x, const AxesArg& axis) { return squeeze(x, axis); }, nb::arg("x"),
      nb::arg("axis") = nb::none(), doc_of("squeeze"));
  m.def(
      "expand_dims", [](const Operand& x, int axis) { return expand_dims(x, axis); }, nb::arg("x"), nb::kw_only(),
      nb::arg("axis") = 0, doc_of("expand_dims"));
  m.def(
      "permute_dims", [](const Operand& x, const IntsArg& axes) { return permute(x, axes); }, nb::arg("x"),
      nb::arg("axes"), doc_of("permute"));
  m.def(
      "matrix_transpose", [](const Operand& x) { return nb::cast<Array>(nb::cast(x.array).attr("mT")); }, nb::arg("x"),
      doc_of("transpose"));
  m.def(
      "moveaxis",
      [](const Operand& x, const IntsArg& source, const IntsArg& destination) {
        const int rank = x.array.rank();
        if (source.list.size() != destination.list.size())
          throw nb::value_error("moveaxis: as many sources as destinations are needed");
        std::vector<int> order(static_cast<std::size_t>(rank), -1);
        std::vector<bool> moved(order.size(), false);
        for (std::size_t i = 0; i < source.list.size(); ++i) {
          const int from = checked("moveaxis", source.list[i], rank),
                    to = checked("moveaxis", destination.list[i], rank);
          if (moved[static_cast<std::size_t>(from)] || order[static_cast<std::size_t>(to)] != -1)
            throw nb::value_error("moveaxis: an axis is named twice");
          order[static_cast<std::size_t>(to)] = from;
          moved[static_cast<std::size_t>(from)] = true;
        }
        int next = 0;
        for (int& axis : order) {
          if (axis != -1) continue;
          while (moved[static_cast<std::size_t>(next)]) ++next;
          axis = next++;
        }
        return permute(x, order);
      },
      nb::arg("x"), nb::arg("source"), nb::arg("destination"), doc_of("moveaxis"));
  m.def(
      "broadcast_arrays",
      [](nb::args arrays) {
        Arrays list;
        for (nb::handle x : arrays) list.push_back(as_array(x, "broadcast_arrays"));
        return array_tuple(list.empty() ? Arrays{} : broadcast_arrays(list));
      },
      doc_of("broadcast_arrays"));
  m.def(
      "broadcast_shapes",
      [](nb::args shapes) {
        Shape result;
        for (nb::handle s : shapes) {
          Shape shape;
          if (!to_shape(s, shape)) throw nb::type_error("broadcast_shapes: shapes are tuples of integers");
          if (shape.size() > result.size()) result.insert(result.begin(), shape.size() - result.size(), 1);
          for (std::size_t d = 1; d <= shape.size(); ++d) {
            std::int64_t& size = result[result.size() - d];
            const std::int64_t other = shape[shape.size() - d];
            if (size == 1) {
              size = other;
            } else if (other != 1 && other != size) {
              throw nb::value_error(("broadcast_shapes: sizes " + std::to_string(size) + " and " +
                                     std::to_string(other) + " at axis -" + std::to_string(d) + " differ")
                                        .c_str());
            }
          }
        }
        return shape_tuple(result);
      },
      "The shape that all broadcast to.");
  m.def(
      "concat",
      [](const Operands& arrays, std::optional<int> axis) {
        Arrays list = arrays.arrays;
        if (!axis) {
          for (Array& x : list) x = flat(x);
        }
        return concat(list, axis.value_or(0));
      },
      nb::arg("arrays"), nb::kw_only(), nb::arg("axis") = 0, doc_of("concat"));
  m.def(
      "unstack", [](const Operand& x, int axis) { return array_tuple(unstack(x, axis)); }, nb::arg("x"), nb::kw_only(),
      nb::arg("axis") = 0, doc_of("unstack"));
  m.def(
      "split",
      [](const Operand& x, nb::handle parts, int axis) {
        if (PyIndex_Check(parts.ptr()) != 0) return array_tuple(split(x, nb::cast<int>(parts), axis));
        return array_tuple(split(x, nb::cast<std::vector<int64_t>>(parts), axis));
      },
      nb::arg("x"), nb::arg("parts"), nb::arg("axis") = 0, doc_of("split"));
  m.def(
      "pad",
      [](const Operand& x, const std::vector<std::pair<int64_t, int64_t>>& widths, const Operand& value) {
        return pad(x, widths, value);
      },
      nb::arg("x"), nb::arg("widths"), nb::arg("value") = 0, doc_of("pad"));
  m.def(
      "roll",
      [](const Operand& x, const ShapeArg& shift, nb::handle axis) {
        if (axis.is_none()) {
          if (shift.shape.size() != 1) throw nb::value_error("roll: several shifts need as many axes");
          return reshape(roll(flat(x), shift.shape[0], 0), x.array.shape());
        }
        const std::vector<int> axes = axis_list("roll", axis);
        if (shift.shape.size() != axes.size() && shift.shape.size() != 1)
          throw nb::value_error("roll: as many shifts as axes are needed");
        Array y = x;
        for (std::size_t i = 0; i < axes.size(); ++i)
          y = roll(y, shift.shape[shift.shape.size() == 1 ? 0 : i], axes[i]);
        return y;
      },
      nb::arg("x"), nb::arg("shift"), nb::kw_only(), nb::arg("axis") = nb::none(), doc_of("roll"));
  m.def(
      "tile",
      [](const Operand& x, const ShapeArg& repetitions) {
        Array y = x;
        Shape repeats = repetitions.shape;
        while (static_cast<int>(repeats.size()) < y.rank()) repeats.insert(repeats.begin(), 1);
        while (y.rank() < static_cast<int>(repeats.size())) y = expand_dims(y, 0);
        return tile(y, repeats);
      },
      nb::arg("x"), nb::arg("repetitions"), doc_of("tile"));
  m.def(
      "repeat",
      [](const Operand& x, nb::handle repeats, std::optional<int> axis) {
        const Array y = axis ? x.array : flat(x);
        const int at = checked("repeat", axis.value_or(0), y.rank());
        if (PyIndex_Check(repeats.ptr()) != 0 && array_in(repeats) == nullptr)
          return repeat(y, nb::cast<int64_t>(repeats), at);
        Array counts = as_array(repeats, "repeat");
        evaluate_released(counts);
        if (counts.size() == 1) return repeat(y, counts.item<int64_t>(), at);
        const auto list = counts.to_vector<int64_t>();
        if (static_cast<int64_t>(list.size()) != y.size(at))
          throw nb::value_error("repeat: one number, or one for each element of the axis, is needed");
        std::vector<int64_t> indices;
        for (std::size_t i = 0; i < list.size(); ++i) {
          if (list[i] < 0) throw nb::value_error("repeat: the numbers must not be negative");
          indices.insert(indices.end(), static_cast<std::size_t>(list[i]), static_cast<int64_t>(i));
        }
        return take(y, Array::from(indices), at);
      },
      nb::arg("x"), nb::arg("repeats"), nb::kw_only(), nb::arg("axis") = nb::none(), doc_of("repeat"));
}

void bind_indexing(nb::module_& m) {
  m.def(
      "take",
      [](const Operand& x, const Operand& indices, std::optional<int> axis) {
        if (!axis && x.array.rank() != 1) throw nb::value_error("take: give an axis for more axes than one");
        return take(x, indices, axis.value_or(0));
      },
      nb::arg("x"), nb::arg("indices"), nb::kw_only(), nb::arg("axis") = nb::none(), doc_of("take"));
  m.def(
      "take_along_axis",
      [](const Operand& x, const Operand& indices, int axis) { return take_along_axis(x, indices, axis); },
      nb::arg("x"), nb::arg("indices"), nb::kw_only(), nb::arg("axis") = -1, doc_of("take_along_axis"));
  m.def(
      "sort",
      [](const Operand& x, int axis, bool descending, bool stable) {
        static_cast<void>(stable);  // it always is
        return sorted_by(x, axis, descending, false);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = -1, nb::arg("descending") = false, nb::arg("stable") = true,
      doc_of("sort"));
  m.def(
      "argsort",
      [](const Operand& x, int axis, bool descending, bool stable) {
        static_cast<void>(stable);
        return sorted_by(x, axis, descending, true);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("axis") = -1, nb::arg("descending") = false, nb::arg("stable") = true,
      doc_of("argsort"));
  m.def(
      "searchsorted",
      [](const Operand& x1, const Operand& x2, const std::string& side, const MaybeOperand& sorter) {
        if (side != "left" && side != "right") throw nb::value_error("searchsorted: side is 'left' or 'right'");
        const Array sorted = sorter.array.defined() ? take(x1, sorter) : x1.array;
        return searchsorted(sorted, x2, side == "right");
      },
      nb::arg("x1"), nb::arg("x2"), nb::kw_only(), nb::arg("side") = "left", nb::arg("sorter") = nb::none(),
      doc_of("searchsorted"));
  m.def(
      "nonzero",
      [](const Operand& x) {
        evaluate_released(x.array);
        if (x.array.rank() == 0) throw nb::value_error("nonzero: a scalar has no positions");
        return array_tuple(nonzero(x));
      },
      nb::arg("x"), doc_of("nonzero"));
  m.def(
      "topk",
      [](const Operand& x, int64_t k, int axis) {
        TopK top = topk(x, k, axis);
        return nb::module_::import_("pellucid._types").attr("TopK")(nb::cast(top.values), nb::cast(top.indices));
      },
      nb::arg("x"), nb::arg("k"), nb::kw_only(), nb::arg("axis") = -1,
      "The k largest along an axis, in descending order.");
  m.def(
      "unique_values",
      [](const Operand& x) { return take(runs_of(x).sorted, nonzero(runs_of(x).first.evaluate())[0]); }, nb::arg("x"),
      "The different elements, ascending.");
  m.def(
      "unique_counts", [](const Operand& x) { return unique(x, "UniqueCounts", false, false, true); }, nb::arg("x"),
      "The different elements and how often each occurs.");
  m.def(
      "unique_inverse", [](const Operand& x) { return unique(x, "UniqueInverse", false, true, false); }, nb::arg("x"),
      "The different elements, and for each of x its position among them.");
  m.def(
      "unique_all", [](const Operand& x) { return unique(x, "UniqueAll", true, true, true); }, nb::arg("x"),
      "The different elements, where each occurs first, positions as unique_inverse, and counts.");
}

void bind_contraction(nb::module_& m) {
  m.def(
      "tensordot", [](const Operand& x, const Operand& y, nb::handle axes) { return tensordot_of(x, y, axes); },
      nb::arg("x1"), nb::arg("x2"), nb::kw_only(), nb::arg("axes") = 2, doc_of("tensordot"));
  m.def(
      "einsum",
      [](const std::string& equation, nb::args operands) {
        Arrays list;
        for (nb::handle x : operands) list.push_back(as_array(x, "einsum"));
        return einsum(equation, list);
      },
      nb::arg("equation"), nb::arg("operands"), doc_of("einsum"));
  m.def(
      "clip",
      [](const Operand& x, const MaybeOperand& low, const MaybeOperand& high) {
        if (!low.array.defined() && !high.array.defined()) return x.array;
        return clip(x, low, high);
      },
      nb::arg("x"), nb::arg("min") = nb::none(), nb::arg("max") = nb::none(), doc_of("clip"));
}

/// The type of an expression of arrays, types and Python numbers.
DType result_type(const nb::args& operands) {
  if (operands.size() == 0) throw nb::value_error("result_type: at least one argument is needed");
  std::optional<DType> strong, weak;
  const auto kind = [](DType t) { return is_float(t) ? 2 : t == DType::kBool ? 0 : 1; };
  for (nb::handle x : operands) {
    DType type;
    bool is_weak = false;
    if (const Array* array = array_in(x)) {
      type = array->dtype();
      is_weak = array->weak();
    } else if (PyBool_Check(x.ptr()) || PyLong_Check(x.ptr()) || PyFloat_Check(x.ptr())) {
      type = as_array(x, "result_type").dtype();
      is_weak = true;
    } else if (!to_dtype(x, type)) {
      type = as_array(x, "result_type").dtype();
    }
    auto& known = is_weak ? weak : strong;
    known = known ? promote(*known, type) : type;
  }
  if (!strong) return *weak;
  return weak && kind(*weak) > kind(*strong) ? promote(*strong, *weak) : *strong;
}

}  // namespace

void bind_array_api(nb::module_& m) {
  bind_reductions(m);
  bind_movement(m);
  bind_indexing(m);
  bind_contraction(m);
  m.def("result_type", &result_type, "The type that an expression of these arrays, types and numbers has.");
  m.def(
      "can_cast",
      [](nb::handle from, DType to) {
        DType type;
        if (const Array* array = array_in(from)) {
          type = array->dtype();
        } else if (!to_dtype(from, type)) {
          throw nb::type_error("can_cast: give an array or a type");
        }
        return promote(type, to) == to;
      },
      nb::arg("from_"), nb::arg("to"), "Can every value of the one type be promoted to the other?");
}

}  // namespace pellucid::python
