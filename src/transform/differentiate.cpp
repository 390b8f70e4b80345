// Reverse and forward mode: walks over the graph from fresh leaves to the results, by the records' rules.
#include <algorithm>

#include "ops/traced.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::transform {

namespace {

Arrays fresh_leaves(const Arrays& arguments) {
  Arrays leaves;
  for (const Array& x : arguments) leaves.push_back(ops::make(ops::alias_record(), {x}));
  return leaves;
}

Arrays outputs_of(Node* node) {
  Arrays outputs;
  for (std::uint32_t i = 0; i < node->outputs.size(); ++i) outputs.emplace_back(node, i);
  return outputs;
}

/// Cotangents of `leaves` for cotangents of `outputs`; undefined where nothing flows back.
Arrays pull_back(const Arrays& leaves, const Arrays& outputs, const Arrays& cotangents) {
  array::KeepGraph keep;
  const ops::Reached reached = ops::reached_from(leaves, outputs);
  std::vector<Arrays> flowing(reached.order.size());
  const auto add_to = [&](const Array& x, const Array& g) {
    const auto at = reached.position.find(x.node());
    if (at == reached.position.end() || !g.defined()) return;
    Arrays& list = flowing[at->second];
    if (list.empty()) list.resize(x.node()->outputs.size());
    list[x.output()] = ops::sum_of(list[x.output()], g);
  };
  for (std::size_t j = 0; j < outputs.size(); ++j) add_to(outputs[j], cotangents[j]);
  std::vector<char> is_leaf(reached.order.size(), 0);
  for (const Array& leaf : leaves) is_leaf[reached.position.at(leaf.node())] = 1;
  for (std::size_t n = reached.order.size(); n-- > 0;) {
    Node* node = reached.order[n];
    if (is_leaf[n] != 0 || flowing[n].empty()) continue;
    std::vector<bool> needed(node->inputs.size());
    bool any = false;
    for (std::size_t i = 0; i < needed.size(); ++i) {
      needed[i] = reached.contains(node->inputs[i]) && ops::flows(*node, i);
      any = any || needed[i];
    }
    if (any) {
      const Arrays back = ops::apply_vjp({*node, node->inputs, outputs_of(node), flowing[n], needed});
      for (std::size_t i = 0; i < back.size(); ++i) {
        if (needed[i]) add_to(node->inputs[i], back[i]);
      }
    }
    flowing[n].clear();
  }
  Arrays result;
  for (const Array& leaf : leaves) {
    const Arrays& list = flowing[reached.position.at(leaf.node())];
    result.push_back(list.empty() ? Array() : list[0]);
  }
  return result;
}

std::string argument_name(const GradOptions& options, int i) {
  return static_cast<std::size_t>(i) < options.names.size() ? "'" + options.names[static_cast<std::size_t>(i)] + "'"
                                                            : std::to_string(i);
}

}  // namespace

ValueAndGradients value_and_grad(const Function& f, const Arrays& arguments, const GradOptions& options) {
  array::KeepGraph keep;
  std::vector<int> chosen = options.arguments;
  if (chosen.empty()) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (is_float(arguments[i].dtype())) chosen.push_back(static_cast<int>(i));
    }
  }
  Arrays given = arguments, leaves;
  for (int i : chosen) {
    if (i < 0 || static_cast<std::size_t>(i) >= arguments.size()) {
      ops::fail("grad", "argument {} is named, but the function was given {}", i, arguments.size());
    }
    const Array& x = arguments[static_cast<std::size_t>(i)];
    if (!is_float(x.dtype())) {
      ops::fail("grad", "argument {} is {}; only floating types have derivatives", argument_name(options, i),
                x.dtype());
    }
    leaves.push_back(ops::make(ops::alias_record(), {x}));
    given[static_cast<std::size_t>(i)] = leaves.back();
  }
  Arrays outputs = f(given);
  if (outputs.empty()) ops::fail("grad", "the function returned nothing; it must return a scalar");
  ValueAndGradients result;
  result.value = outputs[0];
  if (result.value.size() != 1 || !is_float(result.value.dtype())) {
    ops::fail("grad", "the function returned {} of shape {}; it must return a floating scalar, such as a mean or sum",
              result.value.dtype(), result.value.shape());
  }
  result.extra.assign(outputs.begin() + 1, outputs.end());
  result.gradients = pull_back(leaves, {result.value}, {ones_like(result.value)});
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (result.gradients[i].defined()) continue;
    const int argument = chosen[i];
    if (!options.allow_unused &&
        std::find(options.unused.begin(), options.unused.end(), argument) == options.unused.end()) {
      ops::fail("grad",
                "argument {} of shape {} has no influence on the result, so it receives no gradient; name it in "
                "GradOptions::unused if that is meant",
                argument_name(options, argument), leaves[i].shape());
    }
    result.gradients[i] = zeros_like(leaves[i]);
  }
  return result;
}

Vjp vjp(const Function& f, const Arrays& arguments) {
  array::KeepGraph keep;
  const Arrays leaves = fresh_leaves(arguments);
  const Arrays outputs = f(leaves);
  return {outputs, [leaves, outputs](const Arrays& cotangents) {
            if (cotangents.size() != outputs.size()) {
              ops::fail("vjp", "{} cotangents for {} outputs; give one for each", cotangents.size(), outputs.size());
            }
            for (std::size_t j = 0; j < outputs.size(); ++j) {
              if (cotangents[j].defined() && cotangents[j].shape() != outputs[j].shape()) {
                ops::fail("vjp", "cotangent {} has shape {}; the output's is {}", j, cotangents[j].shape(),
                          outputs[j].shape());
              }
            }
            return pull_back(leaves, outputs, cotangents);
          }};
}

Jvp jvp(const Function& f, const Arrays& arguments, const Arrays& tangents) {
  array::KeepGraph keep;
  if (tangents.size() != arguments.size()) {
    ops::fail("jvp", "{} tangents for {} arguments; give one for each", tangents.size(), arguments.size());
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (tangents[i].defined() && tangents[i].shape() != arguments[i].shape()) {
      ops::fail("jvp", "tangent {} has shape {}; the argument's is {}", i, tangents[i].shape(), arguments[i].shape());
    }
  }
  const Arrays leaves = fresh_leaves(arguments);
  Jvp result;
  result.outputs = f(leaves);
  const ops::Reached reached = ops::reached_from(leaves, result.outputs);
  ops::Substitution tangent_of;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (tangents[i].defined()) tangent_of.set(leaves[i], tangents[i]);
  }
  for (Node* node : reached.order) {
    if (std::any_of(leaves.begin(), leaves.end(), [&](const Array& leaf) { return leaf.node() == node; })) continue;
    Arrays in(node->inputs.size());
    bool any = false;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (tangent_of.has(node->inputs[i]) && ops::flows(*node, i)) in[i] = tangent_of.at(node->inputs[i]);
      any = any || in[i].defined();
    }
    if (!any) continue;
    const Arrays out = ops::apply_jvp({*node, node->inputs, outputs_of(node), in});
    for (std::uint32_t i = 0; i < out.size(); ++i) {
      if (out[i].defined()) tangent_of.set(Array(node, i), out[i]);
    }
  }
  for (const Array& y : result.outputs) result.tangents.push_back(tangent_of.has(y) ? tangent_of.at(y) : zeros_like(y));
  return result;
}

Arrays vmap(const Function& f, const Arrays& arguments, const std::vector<std::optional<int>>& in_axes, int out_axis) {
  array::KeepGraph keep;
  if (!in_axes.empty() && in_axes.size() != arguments.size()) {
    ops::fail("vmap", "{} axes for {} arguments; give one for each, or none", in_axes.size(), arguments.size());
  }
  std::int64_t size = -1;
  Arrays given, leaves, batched_leaves;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Array& x = arguments[i];
    const std::optional<int> axis = in_axes.empty() ? std::optional<int>(0) : in_axes[i];
    if (!axis) {
      given.push_back(x);
      continue;
    }
    const std::size_t at = ops::checked_axis("vmap", *axis, x.shape());
    if (size >= 0 && x.shape()[at] != size) {
      ops::fail("vmap", "argument {} has {} examples along axis {}, but an earlier one has {}", i, x.shape()[at], at,
                size);
    }
    size = x.shape()[at];
    Array front = ops::move_axis(x, at, 0);
    Shape shape(front.shape().begin() + 1, front.shape().end());
    leaves.push_back(ops::placeholder(shape, x.dtype()));
    batched_leaves.push_back(std::move(front));
    given.push_back(leaves.back());
  }
  if (size < 0) ops::fail("vmap", "no argument has a batch axis");
  Arrays outputs = f(given);
  const ops::Reached reached = ops::reached_from(leaves, outputs);
  ops::Substitution batch_of;
  for (std::size_t i = 0; i < leaves.size(); ++i) batch_of.set(leaves[i], batched_leaves[i]);
  for (Node* node : reached.order) {
    if (node->record->kind == ops::Kind::kPlaceholder) continue;
    Arrays inputs = node->inputs;
    std::vector<bool> batched(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      batched[i] = batch_of.has(inputs[i]);
      inputs[i] = batch_of.at(inputs[i]);
    }
    const Arrays out = ops::apply_batch({*node, inputs, batched, size});
    for (std::uint32_t i = 0; i < out.size(); ++i) batch_of.set(Array(node, i), out[i]);
  }
  for (Array& y : outputs) {
    y = batch_of.has(y) ? batch_of.at(y) : ops::with_batch(y, size);
    y = ops::move_axis(y, 0, ops::checked_axis("vmap", out_axis, y.shape()));
  }
  return outputs;
}

void wrong_count(std::size_t given) {
  ops::fail("transform", "the function cannot be called with {} arguments", given);
}

}  // namespace pellucid::transform

namespace pellucid {

Array jacobian(const std::function<Array(const Array&)>& f, const Array& x) {
  const Function list = [&f](const Arrays& at) { return Arrays{f(at[0])}; };
  const Vjp whole = transform::vjp(list, {x});
  const Array& y = whole.outputs[0];
  Shape shape = y.shape();
  shape.insert(shape.end(), x.shape().begin(), x.shape().end());
  const std::int64_t n = x.size(), m = y.size();
  if (m <= n) {
    Shape rows = y.shape();
    rows.insert(rows.begin(), m);
    const Array basis = reshape(eye(m, m, y.dtype()), rows);
    const Function row = [&](const Arrays& g) {
      const Arrays back = whole.pullback(g);
      return Arrays{back[0].defined() ? back[0] : zeros_like(x)};
    };
    return reshape(transform::vmap(row, {basis}, {}, 0)[0], shape);
  }
  Shape columns = x.shape();
  columns.insert(columns.begin(), n);
  const Array basis = reshape(eye(n, n, x.dtype()), columns);
  const Function column = [&](const Arrays& t) { return transform::jvp(list, {x}, t).tangents; };
  const Array by_column = transform::vmap(column, {basis}, {}, 0)[0];
  return reshape(transpose(reshape(by_column, {n, m})), shape);
}

}  // namespace pellucid
