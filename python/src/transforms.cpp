// Transforms over trees. Python gives them their public signatures (pellucid/_transforms.py).
#include "pellucid/transform.h"

#include <nanobind/stl/function.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "array/node.h"
#include "core.h"
#include "held.h"
#include "pellucid/ops.h"
#include "tree.h"

namespace pellucid::python {

namespace {

nb::object call(nb::handle f, nb::handle args, nb::handle kwargs) {
  PyObject* result =
      PyObject_Call(f.ptr(), args.ptr(), kwargs.is_valid() && !kwargs.is_none() ? kwargs.ptr() : nullptr);
  if (result == nullptr) throw nb::python_error();
  return nb::steal(result);
}

/// f over leaves: puts the arguments together, calls f with modules holding the leaves, takes the result apart. After
/// the result's leaves come the modules' arrays as the call left them.
struct OverLeaves {
  nb::handle f;
  const Tree& in;
  nb::handle kwargs;
  mutable Tree out = {};
  mutable std::size_t results = 0;

  Arrays operator()(const Arrays& leaves) const {
    const Locked lock;
    const ModuleSwap swap(in, leaves);
    const nb::object result = call(f, unflatten_for_call(in, leaves), kwargs);
    Arrays outputs;
    out = {};
    flatten(result, out, outputs);
    results = outputs.size();
    for (const Array& x : swap.current()) outputs.push_back(x);
    return outputs;
  }
  nb::object result(const Arrays& outputs) const {
    return unflatten(out, Arrays(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(results)));
  }
};

/// Positions of the leaves of the chosen arguments that can be differentiated.
std::vector<int> differentiable(const Tree& tree, const Arrays& leaves) {
  std::vector<int> positions;
  std::size_t next = 0;
  for (const Tree::Entry& entry : tree.entries) {
    if (entry.kind == Tree::Kind::kLeaf) {
      if (leaves[next].defined() && is_float(leaves[next].dtype())) positions.push_back(static_cast<int>(next));
      ++next;
    } else if (entry.kind == Tree::Kind::kModule) {
      for (const Slot& slot : slots_of(entry.object)) {
        if (slot.trainable && is_float(leaves[next].dtype())) positions.push_back(static_cast<int>(next));
        ++next;
      }
    }
  }
  return positions;
}

/// Computes arguments that are still to be computed, unless a transform is looking: else each step of a loop by hand
/// would hang on the program of all steps before it.
void settle(const Arrays& leaves) {
  if (!array::KeepGraph::active()) evaluate_released(leaves);
}

nb::tuple value_and_grad_of(nb::handle f, const nb::tuple& args, nb::handle kwargs, const std::vector<int>& arguments,
                            bool extra, bool allow_unused) {
  const auto count = static_cast<int>(args.size());
  std::vector<int> chosen;
  for (int position : arguments) {
    if (position < -count || position >= count) {
      throw nb::index_error(("grad: there is no argument " + std::to_string(position) + " among the " +
                             std::to_string(count) + " positional arguments given")
                                .c_str());
    }
    chosen.push_back(position < 0 ? position + count : position);
  }
  nb::object picked = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(chosen.size())));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    PyTuple_SET_ITEM(picked.ptr(), static_cast<Py_ssize_t>(i),
                     nb::object(args[static_cast<std::size_t>(chosen[i])]).release().ptr());
  }
  Tree tree;
  Arrays leaves;
  flatten(picked, tree, leaves);
  settle(leaves);
  GradOptions options;
  options.arguments = differentiable(tree, leaves);
  options.allow_unused = allow_unused;
  if (options.arguments.empty()) {
    throw nb::type_error(
        "grad: the argument to differentiate holds no floating array; give floats, or name other "
        "arguments by `arguments`");
  }
  options.names = tree.names();
  for (std::string& name : options.names) {  // the tree is the tuple of the chosen arguments
    if (chosen.size() == 1 && name.size() > 3) name = name.substr(name[3] == '.' ? 4 : 3);
  }
  Tree extra_tree;
  std::size_t extras = 0;
  const auto body = [&](const Arrays& x) {
    const Locked lock;
    const ModuleSwap swap(tree, x);
    const nb::object rebuilt = unflatten_for_call(tree, x);
    nb::object all = nb::steal(PyTuple_New(count));
    for (int i = 0; i < count; ++i) {
      nb::object value = args[static_cast<std::size_t>(i)];
      for (std::size_t j = 0; j < chosen.size(); ++j) {
        if (chosen[j] == i) value = nb::object(rebuilt[j]);
      }
      PyTuple_SET_ITEM(all.ptr(), i, value.release().ptr());
    }
    nb::object result = call(f, all, kwargs);
    Arrays outputs(1);
    if (extra) {
      if (!PyTuple_Check(result.ptr()) || PyTuple_GET_SIZE(result.ptr()) != 2) {
        throw nb::type_error("value_and_grad: with extra=True the function returns (value, anything else)");
      }
      flatten(result[1], extra_tree = {}, outputs);
      extras = outputs.size() - 1;
      result = nb::object(result[0]);
    }
    outputs[0] = as_array(result, "grad: the value of the function");
    for (const Array& x : swap.current()) outputs.push_back(x);
    return outputs;
  };
  const ValueAndGradients found = transform::value_and_grad(body, leaves, options);
  const auto split = found.extra.begin() + static_cast<std::ptrdiff_t>(extras);
  write_back(tree, Arrays(split, found.extra.end()), true);
  Arrays gradients(leaves.size());
  for (std::size_t i = 0; i < options.arguments.size(); ++i) {
    gradients[static_cast<std::size_t>(options.arguments[i])] = found.gradients[i];
  }
  nb::object rest = nb::none();
  if (extra) {
    Arrays all{found.value};
    all.insert(all.end(), found.extra.begin(), split);
    Arrays only(found.extra.begin(), split);
    rest = unflatten(extra_tree, only);
  }
  return nb::make_tuple(found.value, rest, unflatten(tree, gradients));
}

struct Pullback {
  Tree in, out;
  std::size_t results = 0, modules = 0;
  std::function<Arrays(const Arrays&)> f;
};

nb::tuple vjp_of(nb::handle f, const nb::tuple& args) {
  Pullback pullback;
  Arrays leaves;
  flatten(args, pullback.in, leaves);
  settle(leaves);
  const OverLeaves over{f, pullback.in, {}};
  const Vjp found = transform::vjp(std::cref(over), leaves);
  pullback.out = over.out;
  pullback.results = over.results;
  pullback.modules = found.outputs.size() - over.results;
  pullback.f = found.pullback;
  const nb::object value = over.result(found.outputs);
  return nb::make_tuple(value, nb::cast(std::move(pullback)));
}

nb::tuple jvp_of(nb::handle f, const nb::tuple& args, const nb::tuple& tangents) {
  Tree tree;
  Arrays leaves;
  flatten(args, tree, leaves);
  Arrays directions = leaves_like(tree, tangents, "jvp: tangents");
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (directions[i].dtype() != leaves[i].dtype()) directions[i] = astype(directions[i], leaves[i].dtype());
  }
  const OverLeaves over{f, tree, {}};
  const Jvp found = transform::jvp(std::cref(over), leaves, directions);
  Arrays tangent = found.tangents;
  for (std::size_t i = 0; i < tangent.size(); ++i) {
    if (!tangent[i].defined()) tangent[i] = zeros_like(found.outputs[i]);
  }
  return nb::make_tuple(over.result(found.outputs), over.result(tangent));
}

/// The batch axis of each leaf: `axes` is an integer or None for a whole subtree, or a tree of them.
void spread_axes(nb::handle axes, nb::handle value, std::vector<std::optional<int>>& out) {
  if (axes.is_none() || (PyLong_Check(axes.ptr()) && !PyBool_Check(axes.ptr()))) {
    Tree tree;
    Arrays leaves;
    flatten(value, tree, leaves);
    for (const Array& x : leaves) {
      const bool number = x.defined() && x.weak();  // a Python number is the same for all examples
      out.push_back(axes.is_none() || number ? std::optional<int>() : nb::cast<int>(axes));
    }
    return;
  }
  if (PyDict_Check(axes.ptr()) && PyDict_Check(value.ptr()) && nb::len(axes) == nb::len(value)) {
    nb::list keys = nb::borrow<nb::dict>(value).keys();
    keys.attr("sort")();
    for (nb::handle key : keys) {
      if (!nb::borrow<nb::dict>(axes).contains(key)) break;
      spread_axes(axes[key], value[key], out);
    }
    return;
  }
  if ((PyList_Check(axes.ptr()) || PyTuple_Check(axes.ptr())) &&
      (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) && nb::len(axes) == nb::len(value)) {
    for (std::size_t i = 0; i < nb::len(axes); ++i) spread_axes(axes[i], value[i], out);
    return;
  }
  throw nb::value_error(
      "vmap: in_axes is an axis or None for each argument, or a tree of these with the argument's "
      "structure");
}

nb::object vmap_of(nb::handle f, const nb::tuple& args, nb::handle kwargs, nb::handle in_axes, nb::handle out_axes) {
  Tree tree;
  Arrays leaves;
  flatten(args, tree, leaves);
  std::vector<std::optional<int>> axes;
  spread_axes(in_axes, args, axes);
  if (axes.size() != leaves.size()) throw nb::value_error("vmap: in_axes does not fit the arguments");
  const OverLeaves over{f, tree, kwargs};
  const bool same = PyLong_Check(out_axes.ptr()) != 0;
  const Arrays outputs = transform::vmap(std::cref(over), leaves, axes, 0);
  Arrays moved(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(over.results));
  std::vector<std::optional<int>> out;
  if (same) {
    out.assign(moved.size(), nb::cast<int>(out_axes));
  } else {
    spread_axes(out_axes, unflatten(over.out, moved), out);
  }
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (!out[i]) throw nb::value_error("vmap: every output has a batch axis; out_axes cannot be None");
    if (*out[i] != 0) moved[i] = moveaxis(moved[i], 0, *out[i]);
  }
  return unflatten(over.out, moved);
}

nb::object checkpoint_of(nb::handle f, const nb::tuple& args, nb::handle kwargs) {
  Tree tree;
  Arrays leaves;
  flatten(args, tree, leaves);
  // Derivatives call f again, perhaps after this call has ended.
  struct Kept {
    Held f, kwargs;
    Tree tree;
    Tree out;
    std::size_t results = 0;
  };
  const std::shared_ptr<Kept> kept = held_value(Kept{hold(f), hold(kwargs), tree, {}, 0});
  const Arrays outputs = transform::checkpoint(
      [kept](const Arrays& x) {
        const Locked lock;
        const OverLeaves over{kept->f.get(), kept->tree, kept->kwargs.get()};
        Arrays results = over(x);
        kept->out = over.out;
        kept->results = over.results;
        return results;
      },
      leaves);
  const auto end = outputs.begin() + static_cast<std::ptrdiff_t>(kept->results);
  write_back(tree, Arrays(end, outputs.end()), true);
  return unflatten(kept->out, Arrays(outputs.begin(), end));
}

nb::tuple scan_of(nb::handle f, nb::handle carry, nb::handle xs, std::int64_t length, bool reverse) {
  Tree carry_tree, x_tree, y_tree;
  Arrays carries, inputs;
  flatten(carry, carry_tree, carries);
  flatten(xs, x_tree, inputs);
  const auto body = [&](const Arrays& c, const Arrays& x) {
    const Locked lock;
    const nb::object result = f(unflatten(carry_tree, c), unflatten(x_tree, x));
    if (!PyTuple_Check(result.ptr()) || PyTuple_GET_SIZE(result.ptr()) != 2) {
      throw nb::type_error("scan: the function returns (carry, y); y may be None");
    }
    ScanStep step;
    step.carry = leaves_like(carry_tree, result[0], "scan: the new carry");
    flatten(result[1], y_tree = {}, step.ys);
    return step;
  };
  // Python numbers as carries take on a type of their own.
  for (Array& c : carries) {
    if (c.weak()) c = astype(c, c.dtype());
  }
  const ScanStep last = scan(body, carries, inputs, length, reverse);
  return nb::make_tuple(unflatten(carry_tree, last.carry), unflatten(y_tree, last.ys));
}

/// A function with derivatives of its own, called with `args`.
nb::object custom_of(nb::handle f, nb::handle vjp, const nb::tuple& args) {
  struct Kept {
    Held f, vjp;
    Tree in, out;
  };
  const std::shared_ptr<Kept> kept = held_value(Kept{hold(f), hold(vjp), {}, {}});
  Arrays leaves;
  flatten(args, kept->in, leaves);
  CustomRules rules;
  rules.vjp = [kept](const Arrays& inputs, const Arrays& outputs, const Arrays& cotangents) {
    const Locked lock;
    const nb::object result =
        kept->vjp.get()(unflatten(kept->in, inputs), unflatten(kept->out, outputs), unflatten(kept->out, cotangents));
    nb::object all = PyTuple_Check(result.ptr()) ? result : nb::object(nb::make_tuple(result));
    if (nb::len(all) != kept->in.entries[0].count) {
      throw nb::value_error("custom: the vjp returns one cotangent for each argument; None for none");
    }
    // None stands for no cotangent of a whole argument; else the argument's structure.
    Arrays back;
    std::size_t at = 1;
    for (std::size_t i = 0; i < nb::len(all); ++i) {
      Tree part;
      std::size_t open = 1, leaves_of = 0;
      while (open > 0) {
        const Tree::Entry& entry = kept->in.entries[at++];
        part.entries.push_back(entry);
        open += entry.kind == Tree::Kind::kLeaf || entry.kind == Tree::Kind::kModule ? 0 : entry.count;
        leaves_of += entry.kind == Tree::Kind::kLeaf ? 1 : entry.kind == Tree::Kind::kModule ? entry.count : 0;
        --open;
      }
      const nb::object given = all[i];
      Arrays found(leaves_of);
      if (!given.is_none()) found = leaves_like(part, given, "custom: a cotangent");
      back.insert(back.end(), found.begin(), found.end());
    }
    return back;
  };
  const auto function = custom(
      [kept](const Arrays& x) {
        const Locked lock;
        const nb::object result = call(kept->f.get(), unflatten(kept->in, x), {});
        Arrays outputs;
        flatten(result, kept->out = {}, outputs);
        return outputs;
      },
      std::move(rules));
  return unflatten(kept->out, function(leaves));
}

Array jacobian_of(nb::handle f, const Operand& x) {
  return jacobian(
      [&](const Array& at) {
        const Locked lock;
        return as_array(f(nb::cast(at)), "jacobian: the value of the function");
      },
      x);
}

nb::object hessian_product_of(nb::handle f, nb::handle x, nb::handle v) {
  Tree tree;
  Arrays leaves;
  flatten(nb::make_tuple(x), tree, leaves);
  const Arrays direction = leaves_like(tree, nb::make_tuple(v), "hessian_product: the direction");
  const Function over = [&](const Arrays& at) {
    const Locked lock;
    const ModuleSwap swap(tree, at);
    return Arrays{as_array(call(f, unflatten_for_call(tree, at), {}), "hessian_product: the value of the function")};
  };
  Arrays product = hessian_product(over, leaves, direction);
  for (std::size_t i = 0; i < product.size(); ++i) {
    if (!product[i].defined()) product[i] = zeros_like(leaves[i]);
  }
  return nb::object(unflatten(tree, product)[0]);
}

}  // namespace

void bind_transforms(nb::module_& m) {
  nb::class_<Pullback> pullback(m, "Pullback",
                                "Takes cotangents of a function's outputs back to its arguments: see vjp.");
  pullback.def(
      "__call__",
      [](const Pullback& p, nb::handle cotangents) {
        Arrays g = leaves_like(p.out, cotangents, "vjp: cotangents");
        g.resize(p.results + p.modules);
        return unflatten(p.in, p.f(g));
      },
      nb::arg("cotangents"), "A tuple of cotangents, one for each argument; None where nothing flows.");
  m.def("_value_and_grad", &value_and_grad_of, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
  m.def("_vjp", &vjp_of);
  m.def("_jvp", &jvp_of);
  m.def("_vmap", &vmap_of, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none());
  m.def("_checkpoint", &checkpoint_of);
  m.def("_scan", &scan_of, nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg(), nb::arg());
  m.def("_custom", &custom_of);
  m.def("_jacobian", &jacobian_of);
  m.def("_hessian_product", &hessian_product_of, nb::arg(), nb::arg().none(), nb::arg().none());
  m.def(
      "_flatten",
      [](nb::handle value) {
        Tree tree;
        Arrays leaves;
        flatten(value, tree, leaves);
        return nb::make_tuple(array_list(leaves), nb::cast(tree.names().size()));
      },
      nb::arg().none(), "The arrays of a tree, in the order in which transforms see them.");
}

}  // namespace pellucid::python
