// Weighted sums of cosines: one kernel in the place of fma, cos, a contraction and add, and rules composed of these.
#include "ops/waves.h"

#include "kernels/waves.h"
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

// Operands: x (c, r), frequency (n, w), phase (n, w), weight (n, w, o), bias (n, o).

void infer_waves(const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  const Shape &x = inputs[0].shape(), &weight = inputs[3].shape();
  bool fits = x.size() == 2 && weight.size() == 3;
  if (fits) {
    const Shape waves = {weight[0], weight[1]}, bias = {weight[0], weight[2]};
    fits = inputs[1].shape() == waves && inputs[2].shape() == waves && inputs[4].shape() == bias && x[0] > 0 &&
           weight[0] % x[0] == 0 && weight[1] <= kernels::kMostWaves;
  }
  if (!fits) {
    fail(self.name,
         "x {}, frequency {}, phase {}, weight {} and bias {}: not (c, r), (n, w), (n, w), (n, w, o) and (n, o) with n "
         "a multiple of c and at most {} waves",
         x, inputs[1].shape(), inputs[2].shape(), weight, inputs[4].shape(), kernels::kMostWaves);
  }
  outputs.push_back({{weight[0], weight[2], x[1]}, inputs[0].dtype(), nullptr, {}, 0});
}

kernels::WavesShape shape_of(const Signature& s) {
  const Shape &x = s.inputs[0], &weight = s.inputs[3];
  return {s.input_types[0], x[0], x[1], weight[0], weight[1], weight[2]};
}

/// The angles (n, w, r), and what they are made of, (n, 1, r), (n, w, 1).
struct Angles {
  std::int64_t repeats, columns;
  Array x, frequency, angle;

  explicit Angles(const Arrays& in)
      : repeats(in[1].size(0) / in[0].size(0)),
        columns(in[0].size(0)),
        x(of_numbers(in[0])),
        frequency(expand_dims(in[1], 2)),
        angle(fma(x, frequency, expand_dims(in[2], 2))) {}

  Array of_numbers(const Array& of_columns) const {  // (c, r) to (n, 1, r)
    const std::int64_t rows = of_columns.size(1);
    return reshape(broadcast_to(of_columns, {repeats, columns, rows}), {repeats * columns, 1, rows});
  }
  Array of_columns(const Array& g) const {  // a cotangent of (n, r) to one of (c, r)
    return sum(reshape(g, {repeats, columns, g.size(1)}), 0);
  }
};

Arrays vjp_waves(const VjpCall& call) {
  const Angles at(call.inputs);
  const Array& g = call.cotangents[0];
  Arrays result(5);
  if (call.needed[0] || call.needed[1] || call.needed[2]) {
    const Array of_angle = -sin(at.angle) * matmul(call.inputs[3], g);
    if (call.needed[0]) result[0] = at.of_columns(sum(of_angle * at.frequency, 1));
    if (call.needed[1]) result[1] = sum(of_angle * at.x, 2);
    if (call.needed[2]) result[2] = sum(of_angle, 2);
  }
  if (call.needed[3]) result[3] = matmul(cos(at.angle), swapaxes(g, 1, 2));
  if (call.needed[4]) result[4] = sum(g, 2);
  return result;
}

Arrays jvp_waves(const JvpCall& call) {
  const Angles at(call.inputs);
  const Arrays& t = call.tangents;
  Array angle, y;
  if (t[0].defined()) angle = at.of_numbers(t[0]) * at.frequency;
  if (t[1].defined()) angle = sum_of(angle, at.x * expand_dims(t[1], 2));
  if (t[2].defined()) angle = sum_of(angle, broadcast_to(expand_dims(t[2], 2), at.angle.shape()));
  if (angle.defined()) y = matmul(swapaxes(call.inputs[3], 1, 2), -sin(at.angle) * angle);
  if (t[3].defined()) y = sum_of(y, matmul(swapaxes(t[3], 1, 2), cos(at.angle)));
  if (t[4].defined()) y = sum_of(y, broadcast_to(expand_dims(t[4], 2), call.outputs[0].shape()));
  return {y};
}

/// The batch axis joined with that of the numbers. x is read in turn by all of the batch where it is the same for all.
Arrays batch_waves(const BatchCall& call) {
  Arrays inputs;
  for (std::size_t i = 0; i < 5; ++i) {
    Array x = call.inputs[i];
    if (i == 0 && !call.batched[0]) {
      inputs.push_back(x);
      continue;
    }
    if (!call.batched[i]) x = with_batch(x, call.size);
    if (i == 0) {
      const std::int64_t n = call.inputs[1].size(call.batched[1] ? 1 : 0), c = x.size(1), rows = x.size(2);
      x = reshape(broadcast_to(expand_dims(x, 1), {call.size, n / c, c, rows}), {call.size, n, rows});
    }
    Shape shape(x.shape().begin() + 1, x.shape().end());
    shape[0] *= call.size;
    inputs.push_back(reshape(x, shape));
  }
  const Array y = remake(call.node, std::move(inputs))[0];
  return {reshape(y, {call.size, y.size(0) / call.size, y.size(1), y.size(2)})};
}

const Record& kWaves = define([] {
  Record record;
  record.name = "weighted_waves";
  record.summary = "weight cos(frequency x + phase) + bias of each number; number i reads column i mod c";
  record.shapes = "x (c, r), frequency (n, w), phase (n, w), weight (n, w, o), bias (n, o) -> (n, o, r)";
  record.arity = 5;
  record.infer = infer_waves;
  record.prepare = [](const Signature& signature) -> Kernel {
    return [shape = shape_of(signature)](void* const* y, const void* const* x) {
      kernels::weighted_waves(shape, x[0], x[1], x[2], x[3], x[4], y[0]);
    };
  };
  record.vjp = vjp_waves;
  record.jvp = jvp_waves;
  record.batch = batch_waves;
  record.dtypes = {float32, float64};
  return record;
}());

}  // namespace

bool has_weighted_waves(DType dtype, std::int64_t waves) {
  return (dtype == float32 || dtype == float64) && waves <= kernels::kMostWaves;
}

Array weighted_waves(const Array& x, const Array& frequency, const Array& phase, const Array& weight,
                     const Array& bias) {
  return make(kWaves, {x, frequency, phase, weight, bias});
}

}  // namespace pellucid::ops
