// The contraction primitive, and matmul on top of it.
#include <algorithm>

#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

// Operands (batch..., m, k) and (batch..., k, n) of one type, with equal batch sizes.
void infer_contract(const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
  const Shape& a = inputs[0].shape();
  const Shape& b = inputs[1].shape();
  const std::size_t r = a.size();
  bool fits = r >= 2 && b.size() == r && a[r - 1] == b[r - 2] && std::equal(a.begin(), a.end() - 2, b.begin());
  if (!fits) fail(self.name, "{} x {}: not (..., m, k) x (..., k, n)", a, b);
  if (inputs[0].dtype() == DType::kBool || inputs[0].dtype() == DType::kUInt8) {
    fail(self.name, "is not defined for {}; convert with astype to int32 or a float type", inputs[0].dtype());
  }
  Shape shape = a;
  shape[r - 1] = b[r - 1];
  element_count(shape, "matmul");
  // In bfloat16 precision the operands may be stored so; the result is float32.
  const DType dtype = attributes.dtype == DType::kBFloat16 ? DType::kFloat32 : inputs[0].dtype();
  outputs.push_back({std::move(shape), dtype, nullptr, {}, 0});
}

Array contract(const Array& a, const Array& b);

Arrays batch_contract(const BatchCall& call) {
  Array a = call.inputs[0], b = call.inputs[1];
  const auto fold = [&](const Array& x) {  // the batch axis joined with the rows
    return reshape(x, {x.shape()[0] * x.shape()[1], x.shape()[2]});
  };
  if (call.batched[0] && !call.batched[1] && b.rank() == 2) {
    const Array y = contract(fold(a), b);
    return {reshape(y, {call.size, a.shape()[1], b.shape()[1]})};
  }
  if (!call.batched[0]) a = with_batch(a, call.size);
  if (!call.batched[1]) b = with_batch(b, call.size);
  return {contract(a, b)};
}

Record contract_definition() {
  Record record;
  record.name = "contract";
  record.summary = "matrix products";
  record.shapes = "(..., m, k), (..., k, n) -> (..., m, n)";
  record.kind = Kind::kContract;
  record.epilogue = true;
  record.arity = 2;
  record.rounded = 0b11;
  record.infer = infer_contract;
  record.vjp = [](const VjpCall& call) {
    const Array& g = call.cotangents[0];
    return Arrays{call.needed[0] ? contract(g, transpose(call.inputs[1])) : Array(),
                  call.needed[1] ? contract(transpose(call.inputs[0]), g) : Array()};
  };
  record.jvp = [](const JvpCall& call) {
    const Array& a = call.tangents[0];
    const Array& b = call.tangents[1];
    return Arrays{sum_of(a.defined() ? contract(a, call.inputs[1]) : Array(),
                         b.defined() ? contract(call.inputs[0], b) : Array())};
  };
  record.batch = batch_contract;
  record.dtypes = {int32, int64, bfloat16, float32, float64};
  return record;
}
const Record& kContract = define(contract_definition());

Array contract(const Array& a, const Array& b) { return make(kContract, {a, b}); }

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the record above

Array matmul(const Array& x, const Array& y) {
  const Arrays same = promoted("matmul", {x, y});
  Array a = same[0], b = same[1];
  if (a.rank() == 0 || b.rank() == 0)
    fail("matmul", "{} x {}: a scalar has no axis to contract; multiply instead", x.shape(), y.shape());
  const bool row = a.rank() == 1, column = b.rank() == 1;
  const std::int64_t k = a.shape().back(), l = b.shape()[b.shape().size() - (column ? 1 : 2)];
  if (k != l) fail("matmul", "{} x {}: inner sizes {} and {} differ", x.shape(), y.shape(), k, l);
  if (a.dtype() == DType::kBool || a.dtype() == DType::kUInt8) {
    fail("matmul", "is not defined for {}; convert with astype to int32 or a float type", a.dtype());
  }
  if (row) a = reshape(a, {1, k});
  if (column) b = reshape(b, {k, 1});
  Shape batch(a.shape().begin(), a.shape().end() - 2);
  Array c;
  if (b.rank() == 2) {  // the batch of x joins its rows
    const std::int64_t m = count_of(batch) * a.shape()[a.shape().size() - 2];
    c = contract(reshape(a, {m, k}), b);
    Shape shape = batch;
    shape.push_back(a.shape()[a.shape().size() - 2]);
    shape.push_back(b.shape()[1]);
    c = reshape(c, shape);
  } else {
    const Shape b_batch(b.shape().begin(), b.shape().end() - 2);
    Shape together = batch.size() >= b_batch.size() ? batch : b_batch;
    const Shape& other = batch.size() >= b_batch.size() ? b_batch : batch;
    for (std::size_t d = 1; d <= other.size(); ++d) {
      std::int64_t& size = together[together.size() - d];
      const std::int64_t with = other[other.size() - d];
      if (size != with && size != 1 && with != 1) {
        fail("matmul", "{} x {}: batch sizes {} and {} do not broadcast", x.shape(), y.shape(), size, with);
      }
      if (size == 1) size = with;
    }
    Shape a_shape = together, b_shape = together;
    a_shape.insert(a_shape.end(), a.shape().end() - 2, a.shape().end());
    b_shape.insert(b_shape.end(), b.shape().end() - 2, b.shape().end());
    c = contract(broadcast_to(a, a_shape), broadcast_to(b, b_shape));
  }
  if (row || column) {
    Shape shape(c.shape().begin(), c.shape().end() - 2);
    if (!row) shape.push_back(c.shape()[c.shape().size() - 2]);
    if (!column) shape.push_back(c.shape().back());
    c = reshape(c, shape);
  }
  return c;
}

}  // namespace pellucid
