// Nodes without operands, and the ones that hand their operand on: constants, placeholders, aliases, barriers.
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

namespace {

void infer_attributes(const Record& record, const Arrays&, const Attributes& attributes, std::vector<Output>& outputs) {
  element_count(attributes.shape, std::string(record.name).c_str());
  outputs.push_back({attributes.shape, attributes.dtype, nullptr, {}, 0});
}

bool view_same(const Layout& in, const Attributes&, Layout& result) {
  result.strides = in.strides;
  result.offset = in.offset;
  return true;
}

Arrays batch_first(const BatchCall& call) {
  Arrays inputs = call.inputs;
  if (!call.batched[0]) inputs[0] = with_batch(inputs[0], call.size);
  return remake(call.node, std::move(inputs));
}

Record identity(std::string_view name, std::string_view summary) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(...) -> (...)";
  record.kind = Kind::kView;
  record.linear = 1;
  record.infer = infer_same;
  record.view = view_same;
  record.batch = batch_first;
  record.vjp = [](const VjpCall& call) { return Arrays{call.cotangents[0]}; };
  record.ulp = 0;
  return record;
}

Record without_derivative(Record record) {
  record.differentiable = false;
  record.linear = 0;
  record.vjp = nullptr;
  return record;
}

template <class T>
void fill_iota(void* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) static_cast<T*>(y)[i] = static_cast<T>(i);
}

Record iota_definition() {
  Record record;
  record.name = "iota";
  record.summary = "0, 1, 2, ... in a vector";
  record.shapes = "-> (n)";
  record.arity = 0;
  record.differentiable = false;
  record.infer = infer_attributes;
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t n = count_of(signature.outputs[0]);
    switch (signature.output_types[0]) {
      case DType::kInt32:
        return [n](void* const* y, const void* const*) { fill_iota<std::int32_t>(y[0], n); };
      case DType::kInt64:
        return [n](void* const* y, const void* const*) { fill_iota<std::int64_t>(y[0], n); };
      case DType::kFloat32:
        return [n](void* const* y, const void* const*) { fill_iota<float>(y[0], n); };
      default:
        return [n](void* const* y, const void* const*) { fill_iota<double>(y[0], n); };
    }
  };
  record.dtypes = {int32, int64, float32, float64};
  record.ulp = 0;
  return record;
}

const Record& kStopGradient =
    define(without_derivative(identity("stop_gradient", "x, through which no derivative flows")));
const Record& kIota = define(iota_definition());

}  // namespace

const Record& constant_record() {
  static const Record& record = []() -> const Record& {
    Record r;
    r.name = "constant";
    r.summary = "a value";
    r.shapes = "-> (...)";
    r.kind = Kind::kConstant;
    r.arity = 0;
    r.differentiable = false;
    r.infer = infer_attributes;
    return define(r);
  }();
  return record;
}

const Record& placeholder_record() {
  static const Record& record = []() -> const Record& {
    Record r;
    r.name = "placeholder";
    r.summary = "a value that is given when a plan runs";
    r.shapes = "-> (...)";
    r.kind = Kind::kPlaceholder;
    r.arity = 0;
    r.differentiable = false;
    r.infer = infer_attributes;
    return define(r);
  }();
  return record;
}

const Record& alias_record() {
  static const Record& record = define(identity("alias", "x itself, under a name of its own"));
  return record;
}

const Record& barrier_record() {
  static const Record& record = []() -> const Record& {
    Record r = identity("barrier", "x, computed no earlier than the second operand and apart from other uses of x");
    r.arity = 2;
    r.shapes = "(...), (any) -> (...)";
    r.vjp = [](const VjpCall& call) { return Arrays{call.cotangents[0], Array()}; };
    return define(r);
  }();
  return record;
}

}  // namespace pellucid::ops

namespace pellucid {

Array stop_gradient(const Array& x) { return ops::make(ops::kStopGradient, {x}); }

Array arange(std::int64_t stop, DType dtype) {
  const DType whole = is_float(dtype) ? (dtype == float64 ? float64 : float32) : dtype == int32 ? int32 : int64;
  Attributes attributes;
  attributes.shape = {stop < 0 ? 0 : stop};
  attributes.dtype = whole;
  return astype(ops::make(ops::kIota, {}, std::move(attributes)), dtype);
}

}  // namespace pellucid
