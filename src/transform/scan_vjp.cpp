// The backward pass of scan. The body is linearised once: what its cotangents need of the forward pass is saved by the
// forward loop (stacked over the steps) unless it is cheap to make again, and sums over steps of products of matrices
// are taken out of the loop as one contraction.
#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "ops/precision.h"
#include "ops/scan.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::ops {

/// The derivative of a body, as a graph over placeholders: for each parameter its cotangent, made of the parameters
/// and of the outputs' cotangents.
struct LinearScan {
  std::vector<bool> flowing, needed;         // which ys' cotangents there are, which parameters' are asked for
  Arrays parameters, cotangents;             // placeholders; a cotangent is undefined where none flows
  Arrays by;                                 // of each parameter; undefined: none
  Arrays residuals;                          // values of the forward pass that its loop saves
  std::shared_ptr<const ScanBody> extended;  // the body with the residuals as further ys; null: there are none
  Reached unknown;                           // what depends on cotangents
  Reached varying;                           // what depends on carries or xs
};

namespace {

bool is_cheap(const Node& node) {
  const Record& record = *node.record;
  if (record.kind == Kind::kView) return true;
  if (record.kind == Kind::kCall) return record.linear != 0;
  return record.kind == Kind::kMap && record.ulp <= 0.5;  // exact to rounding: a single instruction
}

std::size_t bytes_of(const Array& x) { return static_cast<std::size_t>(x.size()) * size_of(x.dtype()); }

class ArraySet {
 public:
  bool insert(const Array& x) {
    if (contains(x)) return false;
    positions_[x.node()].emplace_back(x.output(), list_.size());
    list_.push_back(x);
    return true;
  }
  bool contains(const Array& x) const { return position(x) < list_.size(); }
  /// list().size() where it is not there.
  std::size_t position(const Array& x) const {
    const auto found = positions_.find(x.node());
    if (found == positions_.end()) return list_.size();
    for (const auto& [output, at] : found->second) {
      if (output == x.output()) return at;
    }
    return list_.size();
  }
  const Arrays& list() const { return list_; }

 private:
  Arrays list_;
  std::unordered_map<const Node*, std::vector<std::pair<std::uint32_t, std::size_t>>> positions_;
};

/// What must be saved beside `saved` so that x can be made again in the backward pass.
Arrays needs(const LinearScan& scan, const ArraySet& saved, const Array& x) {
  ArraySet found;
  std::unordered_set<const Node*> seen;
  Arrays stack{x};
  while (!stack.empty()) {
    const Array at = stack.back();
    stack.pop_back();
    if (!scan.varying.contains(at) || at.node()->record->kind == Kind::kPlaceholder || saved.contains(at)) continue;
    if (!is_cheap(*at.node())) {
      found.insert(at);
    } else if (seen.insert(at.node()).second) {
      for (const Array& input : at.node()->inputs) stack.push_back(input);
    }
  }
  return found.list();
}

/// Chooses what the forward loop saves. Values that cost more than an instruction are saved where cotangents need them;
/// others are made again, unless that needs more memory than they have themselves.
Arrays choose_residuals(const LinearScan& scan) {
  ArraySet border;  // known values that unknown ones are made of
  const auto consider = [&](const Array& x) {
    if (x.defined() && !scan.unknown.contains(x) && scan.varying.contains(x)) border.insert(x);
  };
  for (const Node* node : scan.unknown.order) {
    for (const Array& input : node->inputs) consider(input);
  }
  for (const Array& by : scan.by) consider(by);
  ArraySet saved;
  for (const Array& x : border.list()) {
    if (x.node()->record->kind != Kind::kPlaceholder && !is_cheap(*x.node())) saved.insert(x);
  }
  for (const Array& x : border.list()) {
    const Arrays more = needs(scan, saved, x);
    std::size_t bytes = 0;
    for (const Array& y : more) bytes += bytes_of(y);
    if (bytes > bytes_of(x)) {
      saved.insert(x);
    } else {
      for (const Array& y : more) saved.insert(y);
    }
  }
  return saved.list();
}

std::shared_ptr<const LinearScan> linearised(const ScanBody& body, std::size_t carries, std::size_t xs,
                                             const std::vector<bool>& flowing, const std::vector<bool>& needed) {
  for (const auto& known : body.linear) {
    if (known->flowing == flowing && known->needed == needed) return known;
  }
  array::KeepGraph keep;
  auto scan = std::make_shared<LinearScan>();
  scan->flowing = flowing;
  scan->needed = needed;
  for (const Array& p : body.parameters) scan->parameters.push_back(placeholder(p.shape(), p.dtype()));
  const Vjp pulled = transform::vjp([&](const Arrays& a) { return replay(body, a); }, scan->parameters);
  Arrays start;
  for (std::size_t i = 0; i < body.outputs.size(); ++i) {
    const Array& y = body.outputs[i];
    const bool flows = is_float(y.dtype()) && (i < carries || flowing[i - carries]);
    scan->cotangents.push_back(flows ? placeholder(y.shape(), y.dtype()) : Array());
    if (flows) start.push_back(scan->cotangents.back());
  }
  scan->by = pulled.pullback(scan->cotangents);
  for (std::size_t i = carries; i < scan->by.size(); ++i) {
    if (!needed[i]) scan->by[i] = Array();
  }
  scan->unknown = reached_from(start, scan->by);
  scan->varying = reached_from(part_of(scan->parameters, 0, carries + xs), joined({scan->by, pulled.outputs}));
  scan->residuals = choose_residuals(*scan);
  if (!scan->residuals.empty()) {
    Traced extended{scan->parameters, joined({pulled.outputs, scan->residuals})};
    scan->extended = std::make_shared<const ScanBody>(std::move(extended), body.id);
  }
  body.linear.push_back(scan);
  return scan;
}

/// Where a value of every step is to be had, stacked.
struct Stack {
  enum class Kind { kHistory, kX, kResidual, kEmitted } kind;
  std::size_t index;
};

/// True where the two are the same operation on the same operands.
bool equal_values(const Array& a, const Array& b, int depth = 3) {
  if (a.same(b)) return true;
  const Node &p = *a.node(), &q = *b.node();
  if (depth == 0 || a.output() != b.output() || p.record != q.record || p.inputs.size() != q.inputs.size() ||
      p.record->kind == Kind::kPlaceholder || p.record->kind == Kind::kConstant || !(p.attributes == q.attributes)) {
    return false;
  }
  for (std::size_t i = 0; i < p.inputs.size(); ++i) {
    if (!equal_values(p.inputs[i], q.inputs[i], depth - 1)) return false;
  }
  return true;
}

/// Given the stack of a value of every step, (t, shape...).
using Stacks = std::function<Array(const Stack&)>;
/// A sum over steps, made of stacks after the loop; null: it cannot be, or does not pay.
using Total = std::function<Array(const Stacks&)>;

/// Finds sums over steps that can be taken out of the loop, and what the loop must give for them.
class Totals {
 public:
  Totals(const LinearScan& scan, std::size_t carries, std::size_t xs, std::int64_t length)
      : scan_(scan), carries_(carries), xs_(xs), length_(length) {}

  /// A value that the loop gives anyway.
  std::size_t emit(const Array& x) {
    for (std::size_t i = 0; i < emitted_.size(); ++i) {
      if (equal_values(emitted_[i], x)) return i;
    }
    emitted_.push_back(x);
    return emitted_.size() - 1;
  }
  const Arrays& emitted() const { return emitted_; }

  Total total(const Array& x) {
    const Node& node = *x.node();
    if (!scan_.unknown.contains(x) || node.record->kind == Kind::kPlaceholder) return nullptr;
    if (node.record->kind == Kind::kContract) return contraction(node);
    if (node.record->kind == Kind::kMap) {
      if (node.record->name != "add") return nullptr;
      const std::size_t before = emitted_.size();
      const Total a = total(node.inputs[0]), b = a ? total(node.inputs[1]) : nullptr;
      if (!b) {
        emitted_.resize(before);
        return nullptr;
      }
      return [a, b](const Stacks& stacks) { return a(stacks) + b(stacks); };
    }
    if (node.inputs.size() != 1 || (node.record->linear & 1U) == 0 || node.outputs.size() != 1) return nullptr;
    Total of_operand = total(node.inputs[0]);
    if (!of_operand && node.record->kind == Kind::kReduce) of_operand = sum_of_stack(node.inputs[0]);
    if (!of_operand) return nullptr;
    const Array kept = x;
    return [kept, of_operand](const Stacks& stacks) { return remake(*kept.node(), {of_operand(stacks)})[0]; };
  }

 private:
  /// The leaf behind aliases, or x.
  static Array leaf_of(Array x) {
    while (x.node()->record == &alias_record()) x = x.node()->inputs[0];
    return x;
  }

  /// Where x is to be had without anything more from the loop.
  std::optional<Stack> find(const Array& x) const {
    const Array leaf = leaf_of(x);
    for (std::size_t i = 0; i < carries_ + xs_; ++i) {
      if (!scan_.parameters[i].same(leaf)) continue;
      return i < carries_ ? Stack{Stack::Kind::kHistory, i} : Stack{Stack::Kind::kX, i - carries_};
    }
    for (std::size_t i = 0; i < scan_.residuals.size(); ++i) {
      if (scan_.residuals[i].same(x)) return Stack{Stack::Kind::kResidual, i};
    }
    for (std::size_t i = 0; i < emitted_.size(); ++i) {
      if (equal_values(emitted_[i], x)) return Stack{Stack::Kind::kEmitted, i};
    }
    return {};
  }

  bool changes(const Array& x) const { return scan_.varying.contains(x) || scan_.unknown.contains(x); }

  /// x of every step, (t, shape...): through permutations and reshapes, which cost nothing outside either, and
  /// rounding, so that the loop gives what it has anyway.
  Total stacked(const Array& x) {
    const Node& node = *x.node();
    if (const auto at = find(x)) return [at](const Stacks& stacks) { return stacks(*at); };
    if (node.record->name == "permute") {
      const Total inner = stacked(node.inputs[0]);
      std::vector<int> order{0};
      for (const std::int64_t axis : node.attributes.axes) order.push_back(static_cast<int>(axis) + 1);
      return [inner, order](const Stacks& stacks) { return permute(inner(stacks), order); };
    }
    if (node.record->name == "round_bfloat16") {
      const Total inner = stacked(node.inputs[0]);
      const Array kept = x;
      return [kept, inner](const Stacks& stacks) { return remake(*kept.node(), {inner(stacks)})[0]; };
    }
    if (node.record->name == "reshape") {
      const Total inner = stacked(node.inputs[0]);
      Shape shape = x.shape();
      shape.insert(shape.begin(), length_);
      return [inner, shape](const Stacks& stacks) { return reshape(inner(stacks), shape); };
    }
    const Stack made{Stack::Kind::kEmitted, emit(x)};
    return [made](const Stacks& stacks) { return stacks(made); };
  }

  /// The sum over steps of x where its stack is there anyway.
  Total sum_of_stack(const Array& x) const {
    if (x.node()->record->name == "reshape") {
      const Total inner = sum_of_stack(x.node()->inputs[0]);
      if (!inner) return nullptr;
      const Shape shape = x.shape();
      return [inner, shape](const Stacks& stacks) { return reshape(inner(stacks), shape); };
    }
    const auto at = find(x);
    if (!at) return nullptr;
    return [at](const Stacks& stacks) { return sum(stacks(*at), Axes(0)); };
  }

  /// The sum over steps of (..., m, k) x (..., k, n) is one contraction over (t, k).
  Total contraction(const Node& node) {
    const Array &a = node.inputs[0], &b = node.inputs[1];
    if (!changes(a) || !changes(b)) return nullptr;
    const auto r = static_cast<std::size_t>(a.rank());
    const std::int64_t m = a.shape()[r - 2], k = a.shape()[r - 1], n = b.shape()[r - 1];
    // Keeping the factors must not move more than adding up the products does.
    if (k * (m + n) > 2 * m * n) return nullptr;
    const Total as = stacked(a), bs = stacked(b);
    const std::int64_t t = length_;
    const Array made(const_cast<Node*>(&node), 0);
    return [as, bs, t, r, k, made](const Stacks& stacks) {
      const OwnPrecision precision(*made.node());
      // (t, ..., m, k) to (..., m, t k) and (t, ..., k, n) to (..., t k, n).
      Array x = moveaxis(as(stacks), 0, static_cast<int>(r) - 1), y = moveaxis(bs(stacks), 0, static_cast<int>(r) - 2);
      Shape x_shape(x.shape().begin(), x.shape().end() - 2), y_shape(y.shape().begin(), y.shape().end() - 3);
      x_shape.push_back(t * k);
      y_shape.push_back(t * k);
      y_shape.push_back(y.shape().back());
      return matmul(reshape(x, x_shape), reshape(y, y_shape));
    };
  }

  const LinearScan& scan_;
  std::size_t carries_, xs_;
  std::int64_t length_;
  Arrays emitted_;
};

/// Makes arrays of the linearised body again over other operands.
class Rebuild {
 public:
  Rebuild(const LinearScan& scan, const Arrays& captured, std::size_t first_captured) {
    for (std::size_t i = 0; i < captured.size(); ++i) set(scan.parameters[first_captured + i], captured[i]);
  }
  void set(const Array& from, const Array& to) { made_.set(from, to); }

  Array operator()(const Array& x) {
    std::vector<Node*> stack{x.node()};
    while (!made_.has(x) && !stack.empty()) {
      Node* node = stack.back();
      bool ready = true;
      for (const Array& input : node->inputs) {
        if (made_.has(input) || input.node()->record->kind == Kind::kConstant || input.node()->evaluated()) continue;
        if (input.node()->record->kind == Kind::kPlaceholder) continue;
        if (done_.count(input.node()) != 0) continue;
        ready = false;
        stack.push_back(input.node());
      }
      if (!ready) continue;
      stack.pop_back();
      if (!done_.insert(node).second) continue;
      make(node);
    }
    return made_.at(x);
  }

 private:
  void make(Node* node) {
    bool changed = false;
    Arrays inputs = node->inputs;
    for (Array& input : inputs) {
      changed = changed || made_.has(input);
      input = made_.at(input);
    }
    if (!changed) return;
    const Arrays outputs = remake(*node, std::move(inputs));
    for (std::uint32_t i = 0; i < outputs.size(); ++i) {
      outputs[i].node()->layer = node->layer;
      if (!made_.has(Array(node, i))) made_.set(Array(node, i), outputs[i]);
    }
  }

  Substitution made_;
  std::unordered_set<const Node*> done_;
};

/// Which carries and xs the backward pass reads.
std::vector<bool> used_parameters(const LinearScan& scan, const Arrays& targets, std::size_t count) {
  std::vector<bool> used(count, false);
  ArraySet seen, saved;
  for (const Array& x : scan.residuals) saved.insert(x);
  Arrays stack;
  for (const Array& x : targets) {
    if (x.defined()) stack.push_back(x);
  }
  while (!stack.empty()) {
    const Array at = stack.back();
    stack.pop_back();
    if (saved.contains(at) || !seen.insert(at)) continue;
    for (std::size_t i = 0; i < count; ++i) used[i] = used[i] || scan.parameters[i].same(at);
    for (const Array& input : at.node()->inputs) stack.push_back(input);
  }
  return used;
}

}  // namespace

Arrays vjp_scan(const VjpCall& call) {
  const Attributes& attributes = call.node.attributes;
  const ScanParts p(attributes);
  const ScanBody& body = scan_body(attributes);
  const std::size_t first_captured = p.carries + p.xs;
  std::vector<bool> flowing, needed = call.needed;
  for (std::size_t i = 0; i < p.ys; ++i) flowing.push_back(call.cotangents[p.carries + i].defined());
  const auto scan = linearised(body, p.carries, p.xs, flowing, needed);
  const Arrays captured = part_of(call.inputs, first_captured, p.captured);

  // The stacks: of the forward pass, and, after it, of the backward one.
  const Arrays history = part_of(call.outputs, p.carries + p.ys, p.carries);
  Arrays residuals;
  if (scan->extended != nullptr) {
    Attributes more = attributes;
    more.extra = scan->extended;
    residuals =
        part_of(make_all(scan_record(), call.inputs, std::move(more)), p.carries + p.ys, scan->residuals.size());
  }

  // What leaves the backward loop at every step: cotangents of xs first, then factors of sums over steps.
  Totals totals(*scan, p.carries, p.xs, attributes.integer);
  std::vector<std::size_t> x_at(p.xs);
  for (std::size_t i = 0; i < p.xs; ++i) {
    if (scan->by[p.carries + i].defined()) x_at[i] = totals.emit(scan->by[p.carries + i]);
  }
  std::vector<Total> total_of(p.captured);
  std::vector<std::size_t> f_carries, added;  // carries with cotangents; captured operands that are added up in steps
  for (std::size_t i = 0; i < p.carries; ++i) {
    if (is_float(call.inputs[i].dtype())) f_carries.push_back(i);
  }
  for (std::size_t i = 0; i < p.captured; ++i) {
    const Array& by = scan->by[first_captured + i];
    if (!by.defined()) continue;
    total_of[i] = totals.total(by);
    if (!total_of[i]) added.push_back(i);
  }

  Arrays targets = totals.emitted();
  for (std::size_t i : f_carries) targets.push_back(scan->by[i]);
  for (std::size_t i : added) targets.push_back(scan->by[first_captured + i]);
  const std::vector<bool> used = used_parameters(*scan, targets, first_captured);

  // Operands that the backward loop runs along, and what each stands for in the linearised body.
  Arrays along, stands_for;
  const auto run_along = [&](const Array& stack, const Array& stands) {
    along.push_back(stack);
    stands_for.push_back(stands);
  };
  for (std::size_t i = 0; i < first_captured; ++i) {
    if (used[i]) run_along(i < p.carries ? history[i] : call.inputs[i], scan->parameters[i]);
  }
  for (std::size_t i = 0; i < residuals.size(); ++i) run_along(residuals[i], scan->residuals[i]);
  for (std::size_t i = 0; i < p.ys; ++i) {
    if (scan->cotangents[p.carries + i].defined()) {
      run_along(call.cotangents[p.carries + i], scan->cotangents[p.carries + i]);
    }
  }
  const std::size_t before_history = along.size();
  std::vector<std::size_t> through;  // carries into whose history a cotangent flows
  for (std::size_t i : f_carries) {
    const Array& g = call.cotangents[p.carries + p.ys + i];
    if (!g.defined()) continue;
    along.push_back(g);
    through.push_back(i);
  }
  Arrays start;
  for (std::size_t i : f_carries) {
    start.push_back(call.cotangents[i].defined() ? call.cotangents[i] : zeros_like(call.inputs[i]));
  }
  for (std::size_t i : added) start.push_back(zeros_like(captured[i]));

  const auto back = [&](const Arrays& carry, const Arrays& x) -> ScanStep {
    Rebuild rebuild(*scan, captured, first_captured);
    for (std::size_t i = 0; i < stands_for.size(); ++i) rebuild.set(stands_for[i], x[i]);
    for (std::size_t i = 0; i < f_carries.size(); ++i) rebuild.set(scan->cotangents[f_carries[i]], carry[i]);
    ScanStep step;
    for (std::size_t i = 0; i < f_carries.size(); ++i) {
      const Array& by = scan->by[f_carries[i]];
      Array g = by.defined() ? rebuild(by) : Array();
      for (std::size_t q = 0; q < through.size(); ++q) {
        if (through[q] == f_carries[i]) g = sum_of(g, x[before_history + q]);
      }
      step.carry.push_back(g.defined() ? g : zeros_like(carry[i]));
    }
    for (std::size_t q = 0; q < added.size(); ++q) {
      step.carry.push_back(carry[f_carries.size() + q] + rebuild(scan->by[first_captured + added[q]]));
    }
    for (const Array& y : totals.emitted()) step.ys.push_back(rebuild(y));
    return step;
  };
  const ScanStep result = pellucid::scan(back, start, along, attributes.integer, !attributes.flag);

  const Stacks stacks = [&](const Stack& at) {
    switch (at.kind) {
      case Stack::Kind::kHistory:
        return history[at.index];
      case Stack::Kind::kX:
        return call.inputs[p.carries + at.index];
      case Stack::Kind::kResidual:
        return residuals[at.index];
      default:
        return result.ys[at.index];
    }
  };
  Arrays cotangents(call.inputs.size());
  for (std::size_t i = 0; i < f_carries.size(); ++i) cotangents[f_carries[i]] = result.carry[i];
  for (std::size_t i = 0; i < p.xs; ++i) {
    if (scan->by[p.carries + i].defined()) cotangents[p.carries + i] = result.ys[x_at[i]];
  }
  for (std::size_t q = 0; q < added.size(); ++q) {
    cotangents[first_captured + added[q]] = result.carry[f_carries.size() + q];
  }
  for (std::size_t i = 0; i < p.captured; ++i) {
    if (total_of[i]) cotangents[first_captured + i] = total_of[i](stacks);
  }
  return cotangents;
}

}  // namespace pellucid::ops
