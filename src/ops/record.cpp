// The register of records, and how nodes are made of them.
#include "ops/record.h"

#include <algorithm>
#include <deque>

#include "ops/precision.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

namespace {
struct Register {
  std::deque<Record> records;
  std::vector<const Record*> sorted;
};
Register& the_register() {
  static Register instance;
  return instance;
}
}  // namespace

const Record& define(Record record) {
  Register& all = the_register();
  const Record& kept = all.records.emplace_back(std::move(record));
  const auto at = std::lower_bound(all.sorted.begin(), all.sorted.end(), &kept,
                                   [](const Record* a, const Record* b) { return a->name < b->name; });
  all.sorted.insert(at, &kept);
  return kept;
}

const std::vector<const Record*>& all_records() { return the_register().sorted; }

const Record* find_record(std::string_view name) {
  for (const Record* record : all_records()) {
    if (record->name == name) return record;
  }
  return nullptr;
}

void fail_in_layer(std::string_view name, const std::string& text) {
  const std::string layer = LayerScope::path();
  throw Error(std::string(name) + ": " + text + (layer.empty() ? "" : " (layer '" + layer + "')"));
}

namespace {
Arrays make_node(const Record& record, Arrays inputs, Attributes attributes) {
  for (const Array& input : inputs) {
    if (!input.defined()) fail(record.name, "an operand is an undefined Array (default-constructed or moved from)");
  }
  auto* node = new Node;
  Array first(node, 0);  // owns the node should infer throw
  node->record = &record;
  record.infer(record, inputs, attributes, node->outputs);
  node->inputs = std::move(inputs);
  node->attributes = std::move(attributes);
  node->layer = LayerScope::shared_path();
  Arrays outputs;
  outputs.reserve(node->outputs.size());
  for (std::uint32_t i = 0; i < node->outputs.size(); ++i) outputs.emplace_back(node, i);
  return outputs;
}

}  // namespace

Arrays make_all(const Record& record, Arrays inputs, Attributes attributes) {
  if (record.rounded != 0 && PrecisionScope::current() == Precision::kBFloat16) {
    round_operands(record, inputs, attributes);
  }
  return make_node(record, std::move(inputs), std::move(attributes));
}

Array make(const Record& record, Arrays inputs, Attributes attributes) {
  return std::move(make_all(record, std::move(inputs), std::move(attributes))[0]);
}

Arrays remake(const Node& node, Arrays inputs) { return make_node(*node.record, std::move(inputs), node.attributes); }

Array placeholder(const Shape& shape, DType dtype) {
  Attributes attributes;
  attributes.shape = shape;
  attributes.dtype = dtype;
  return make(placeholder_record(), {}, std::move(attributes));
}

// ---- Shape rules that many share ------------------------------------------------------------------------------------

namespace {
void check_map(const Record& record, const Arrays& inputs) {
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].shape() != inputs[0].shape()) {
      fail(record.name, "{} and {}: operands of a primitive have one shape", inputs[0].shape(), inputs[i].shape());
    }
  }
}
void check_type(const Record& record, DType dtype) {
  if (record.dtypes.empty() || std::find(record.dtypes.begin(), record.dtypes.end(), dtype) != record.dtypes.end())
    return;
  std::string list;
  for (DType allowed : record.dtypes) list += (list.empty() ? "" : ", ") + std::string(name_of(allowed));
  fail(record.name, "is not defined for {}; it takes {}", dtype, list);
}
}  // namespace

void infer_map(const Record& record, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  check_map(record, inputs);
  check_type(record, inputs[0].dtype());
  outputs.push_back({inputs[0].shape(), inputs[0].dtype(), nullptr, {}, 0});
}

void infer_predicate(const Record& record, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  check_map(record, inputs);
  check_type(record, inputs[0].dtype());
  outputs.push_back({inputs[0].shape(), DType::kBool, nullptr, {}, 0});
}

void infer_same(const Record& record, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  check_type(record, inputs[0].dtype());
  outputs.push_back({inputs[0].shape(), inputs[0].dtype(), nullptr, {}, 0});
}

// ---- Operands -------------------------------------------------------------------------------------------------------

Arrays promoted(std::string_view name, const Arrays& operands) {
  // A weak scalar takes part with its kind only: it changes the type where its kind is higher than all the others'.
  const auto kind = [](DType t) { return is_float(t) ? 2 : t == DType::kBool ? 0 : 1; };
  bool any_strong = false;
  DType type = DType::kBool;
  for (const Array& x : operands) {
    if (!x.defined()) fail(name, "an operand is an undefined Array (default-constructed or moved from)");
    if (!x.weak()) {
      type = any_strong ? promote(type, x.dtype()) : x.dtype();
      any_strong = true;
    }
  }
  for (const Array& x : operands) {
    if (x.weak() && (!any_strong || kind(x.dtype()) > kind(type))) type = promote(type, x.dtype());
  }
  Arrays result;
  result.reserve(operands.size());
  for (const Array& x : operands) result.push_back(astype(x, type));
  return result;
}

Arrays broadcast_together(std::string_view name, const Arrays& operands) {
  bool same = true;
  for (const Array& x : operands) same = same && x.shape() == operands[0].shape();
  if (same) return operands;
  Shape shape;
  for (const Array& x : operands) {
    const Shape& other = x.shape();
    if (other.size() > shape.size()) shape.insert(shape.begin(), other.size() - shape.size(), 1);
    for (std::size_t d = 1; d <= other.size(); ++d) {
      std::int64_t& size = shape[shape.size() - d];
      const std::int64_t with = other[other.size() - d];
      if (size == 1) {
        size = with;
      } else if (with != 1 && with != size) {
        fail(name, "shapes {} and {} do not broadcast: sizes {} and {} at axis -{} differ", operands[0].shape(),
             operands.size() == 2 ? operands[1].shape() : other, size, with, d);
      }
    }
  }
  Arrays result;
  result.reserve(operands.size());
  for (const Array& x : operands) result.push_back(x.shape() == shape ? x : broadcast_to(x, shape));
  return result;
}

Array map(const Record& record, const Arrays& operands) {
  const bool one = operands.size() == 1;  // where there are several, promoting looks at each
  if (one && !operands[0].defined()) {
    fail(record.name, "the operand is an undefined Array (default-constructed or moved from)");
  }
  Arrays x = broadcast_together(record.name, one ? operands : promoted(record.name, operands));
  if (x[0].dtype() != DType::kBFloat16) return make(record, std::move(x));
  for (Array& operand : x) operand = astype(operand, float32);
  Array y = make(record, std::move(x));
  return y.dtype() == DType::kFloat32 ? astype(y, bfloat16) : y;
}

Array map_float(const Record& record, const Arrays& operands) {
  Arrays x = operands.size() == 1 ? operands : promoted(record.name, operands);
  if (x[0].defined() && !is_float(x[0].dtype())) {
    for (Array& operand : x) operand = astype(operand, float32);
  }
  return map(record, x);
}

std::size_t checked_axis(std::string_view name, int axis, const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  const int at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) {
    if (rank == 0) fail(name, "axis {} is out of range: a scalar has no axes", axis);
    fail(name, "axis {} is out of range for shape {}; axes run from {} to {}", axis, shape, -rank, rank - 1);
  }
  return static_cast<std::size_t>(at);
}

std::vector<std::size_t> checked_axes(std::string_view name, const std::vector<int>& axes, const Shape& shape) {
  std::vector<std::size_t> result;
  for (int axis : axes) {
    const std::size_t at = checked_axis(name, axis, shape);
    if (std::find(result.begin(), result.end(), at) != result.end()) fail(name, "axis {} is named twice", axis);
    result.push_back(at);
  }
  std::sort(result.begin(), result.end());
  return result;
}

bool is_scalar_constant(const Array& x, double value) {
  if (!x.defined() || !x.node()->evaluated() || x.rank() != 0) return false;
  const Output& out = x.node()->outputs[x.output()];
  return array::element(out.storage->data(), out.dtype, out.offset) == value;
}

Array scaled(const Array& g, const Array& p) {
  if (p.weak() && is_scalar_constant(p, 1)) return g;
  if (p.weak() && is_scalar_constant(p, -1)) return negative(g);
  return multiply(g, p);
}

Array sum_of(const Array& a, const Array& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  return add(a, b);
}

Array move_axis(const Array& x, std::size_t from, std::size_t to) {
  return from == to ? x : moveaxis(x, static_cast<int>(from), static_cast<int>(to));
}

Array with_batch(const Array& x, std::int64_t size) {
  Shape shape = x.shape();
  shape.insert(shape.begin(), size);
  return broadcast_to(x, shape);
}

}  // namespace pellucid::ops
