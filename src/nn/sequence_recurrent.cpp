// RNN, LSTM and GRU: one scan for each layer and direction, time in front.
#include <cmath>

#include "base/fail.h"
#include "pellucid/nn_sequence.h"

namespace pellucid::nn {

using base::fail;
using base::format;

Recurrent::Recurrent(std::string_view type, Cell cell, std::int64_t inputs, std::int64_t hidden,
                     RecurrentOptions options)
    : cell_(cell), inputs_(inputs), hidden_(hidden), options_(std::move(options)) {
  if (inputs < 1 || hidden < 1 || options_.layers < 1) {
    fail("{}: {} inputs, {} hidden and {} layers must be positive", type, inputs, hidden, options_.layers);
  }
  if (!(options_.dropout >= 0 && options_.dropout < 1)) {
    fail("{}: the dropout {} must be at least 0 and less than 1", type, options_.dropout);
  }
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const auto or_uniform = [&](const init::Initializer& given) { return given ? given : init::uniform(-bound, bound); };
  const std::int64_t directions = options_.bidirectional ? 2 : 1, width = gates() * hidden;
  for (std::int64_t layer = 0; layer < options_.layers; ++layer) {
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      RecurrentWeights w;
      const auto parameter = [&](const Shape& shape, const init::Initializer& given) {
        return Parameter(shape, or_uniform(given), options_.dtype);
      };
      w.input_weight = parameter({layer == 0 ? inputs : directions * hidden, width}, options_.weight_initializer);
      w.hidden_weight = parameter({hidden, width}, options_.weight_initializer);
      if (options_.bias) w.bias = parameter({width}, options_.bias_initializer);
      if (options_.bias && cell == Cell::kGRU) w.hidden_bias = parameter({hidden}, options_.bias_initializer);
      (direction == 0 ? forward : backward).push_back(std::move(w));
    }
  }
}

std::int64_t Recurrent::gates() const { return cell_ == Cell::kLSTM ? 4 : cell_ == Cell::kGRU ? 3 : 1; }

std::string_view Recurrent::type() const { return cell_ == Cell::kLSTM ? "LSTM" : cell_ == Cell::kGRU ? "GRU" : "RNN"; }

void Recurrent::visit_members(Visitor& visitor) {
  const auto visit = [&](const char* direction, std::vector<RecurrentWeights>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string prefix = std::string(direction) + "." + std::to_string(i) + ".";
      visitor.member(prefix + "input_weight", list[i].input_weight);
      visitor.member(prefix + "hidden_weight", list[i].hidden_weight);
      visitor.member(prefix + "bias", list[i].bias);
      visitor.member(prefix + "hidden_bias", list[i].hidden_bias);
    }
  };
  visit("forward", forward);
  visit("backward", backward);
}

Options Recurrent::options() const {
  Options list{{"inputs", inputs_},           {"hidden", hidden_},
               {"depth", options_.layers},    {"bidirectional", options_.bidirectional},
               {"dropout", options_.dropout}, {"bias", options_.bias}};
  if (cell_ == Cell::kTanh || cell_ == Cell::kReLU) {
    list.emplace_back("nonlinearity", std::string(cell_ == Cell::kReLU ? "relu" : "tanh"));
  }
  return list;
}

// ---- One layer in one direction -------------------------------------------------------------------------------------

// x (T, N, C) -> outputs (T, N, H); `states` (N, H) become the last ones. mask (T, N, 1): true where a step counts.
Array Recurrent::run(const RecurrentWeights& weights, const Array& x, const Array& mask, States& states,
                     bool reverse) const {
  const Array projected = linear(x, weights.input_weight, weights.bias);
  const Array& u = weights.hidden_weight;
  const auto step = [&](const Arrays& carry, const Arrays& at) -> ScanStep {
    const Array& h = carry[0];
    const Array recurrent = matmul(h, u);
    Arrays next(carry.size());
    switch (cell_) {
      case Cell::kReLU:
        next[0] = relu(at[0] + recurrent);
        break;
      case Cell::kTanh:
        next[0] = tanh(at[0] + recurrent);
        break;
      case Cell::kLSTM: {
        const Arrays a = split(at[0], 4, -1), b = split(recurrent, 4, -1);
        const Array i = sigmoid(a[0] + b[0]), f = sigmoid(a[1] + b[1]), g = tanh(a[2] + b[2]), o = sigmoid(a[3] + b[3]);
        next[1] = f * carry[1] + i * g;
        next[0] = o * tanh(next[1]);
        break;
      }
      case Cell::kGRU: {
        const Arrays a = split(at[0], 3, -1), b = split(recurrent, 3, -1);
        const Array r = sigmoid(a[0] + b[0]), z = sigmoid(a[1] + b[1]);
        const Array inner = weights.hidden_bias.value.defined() ? b[2] + weights.hidden_bias : b[2];
        const Array n = tanh(a[2] + r * inner);
        next[0] = n + z * (h - n);
        break;
      }
    }
    if (!mask.defined()) return {next, {next[0]}};
    const Array output = where(at[1], next[0], 0.0);
    for (std::size_t k = 0; k < next.size(); ++k) next[k] = where(at[1], next[k], carry[k]);
    return {next, {output}};
  };
  Arrays start{states.hidden}, along{projected};
  if (cell_ == Cell::kLSTM) start.push_back(states.cell);
  if (mask.defined()) along.push_back(mask);
  const ScanStep result = scan(step, start, along, -1, reverse);
  states.hidden = result.carry[0];
  if (cell_ == Cell::kLSTM) states.cell = result.carry[1];
  return result.ys[0];
}

// ---- The call -------------------------------------------------------------------------------------------------------

void Recurrent::check(const Call& call, const Array& x, const RecurrentInputs& inputs) const {
  if (!x.defined() || (x.rank() != 2 && x.rank() != 3) || x.size(-1) != inputs_) {
    call.fail(format("x has shape {}; it must be (batch, time, {}), or (time, {}) for one sequence",
                     x.defined() ? to_string(x.shape()) : std::string("undefined"), inputs_, inputs_));
  }
  const bool batched = x.rank() == 3;
  const std::int64_t time = x.size(-2);
  const Array& lengths = inputs.lengths;
  if (lengths.defined()) {
    const Shape expected = batched ? Shape{x.size(0)} : Shape{};
    if (lengths.shape() != expected || !is_integer(lengths.dtype())) {
      call.fail(format("the lengths are {} of shape {}; for x {} they must be integers of shape {}", lengths.dtype(),
                       lengths.shape(), x.shape(), expected));
    }
    if (lengths.evaluated()) {
      const std::vector<std::int64_t> values = lengths.to_vector<std::int64_t>();
      for (std::size_t n = 0; n < values.size(); ++n) {
        if (values[n] < 0 || values[n] > time) {
          call.fail(format("length {} of example {} is out of range; x has {} steps", values[n], n, time));
        }
      }
    }
  }
  Shape state{options_.layers * (options_.bidirectional ? 2 : 1), hidden_};
  if (batched) state.insert(state.begin(), x.size(0));
  const auto check_state = [&](const char* name, const Array& s) {
    if (s.defined() && s.shape() != state) {
      call.fail(format("the initial {} state has shape {}; for x {} it must be {}", name, s.shape(), x.shape(), state));
    }
  };
  check_state("hidden", inputs.initial.hidden);
  check_state("cell", inputs.initial.cell);
  if (inputs.initial.cell.defined() && cell_ != Cell::kLSTM) call.fail("an initial cell state is for the LSTM");
}

Array Recurrent::operator()(const Array& x) const { return (*this)(x, RecurrentInputs{}).outputs; }

RecurrentResult Recurrent::operator()(const Array& x, const RecurrentInputs& inputs) const {
  const Call call(*this, type());
  check(call, x, inputs);
  const bool batched = x.rank() == 3, lstm = cell_ == Cell::kLSTM;
  // Time in front: a step reads one contiguous slice.
  Array h = batched ? permute(x, {1, 0, 2}) : expand_dims(x, 1);
  const std::int64_t time = h.size(0), n = h.size(1);
  const DType dtype = promote(x.dtype(), options_.dtype);
  h = astype(h, dtype);
  Array mask;
  if (inputs.lengths.defined()) {
    const Array lengths = reshape(astype(inputs.lengths, int64), {1, n, 1});
    mask = reshape(arange(time), {time, 1, 1}) < lengths;
  }
  const auto initial = [&](const Array& state, std::size_t k) {
    if (!state.defined()) return zeros({n, hidden_}, dtype);
    return astype(
        reshape(slice(state, -2, static_cast<std::int64_t>(k), static_cast<std::int64_t>(k) + 1), {n, hidden_}), dtype);
  };
  const bool training = mode == Mode::kAutomatic ? Context::training() : mode == Mode::kTraining;
  Arrays last_hidden, last_cell;
  for (std::size_t layer = 0; layer < forward.size(); ++layer) {
    if (layer > 0 && options_.dropout > 0 && training) {
      if (!Context::training()) {
        call.fail("training needs random numbers; make an nn::Context with a key around the call, or nn::eval it");
      }
      const double keep = 1 - options_.dropout;
      h = where(random::bernoulli(Context::next_key(), h.shape(), keep), h * (1 / keep), 0.0);
    }
    Arrays outputs;
    for (int direction = 0; direction < (backward.empty() ? 1 : 2); ++direction) {
      States states;
      states.hidden = initial(inputs.initial.hidden, last_hidden.size());
      if (lstm) states.cell = initial(inputs.initial.cell, last_cell.size());
      outputs.push_back(run(direction == 0 ? forward[layer] : backward[layer], h, mask, states, direction == 1));
      last_hidden.push_back(states.hidden);
      if (lstm) last_cell.push_back(states.cell);
    }
    h = outputs.size() == 1 ? outputs[0] : concat(outputs, -1);
  }
  RecurrentResult result;
  result.outputs = call.done(batched ? permute(h, {1, 0, 2}) : squeeze(h, 1));
  const auto together = [&](const Arrays& states) {
    const Array all = stack(states, 1);
    return batched ? all : squeeze(all, 0);
  };
  result.last.hidden = together(last_hidden);
  if (lstm) result.last.cell = together(last_cell);
  return result;
}

RNN::RNN(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options, Nonlinearity nonlinearity)
    : Recurrent("RNN", nonlinearity == Nonlinearity::kReLU ? Cell::kReLU : Cell::kTanh, inputs, hidden,
                std::move(options)) {}
LSTM::LSTM(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options)
    : Recurrent("LSTM", Cell::kLSTM, inputs, hidden, std::move(options)) {}
GRU::GRU(std::int64_t inputs, std::int64_t hidden, RecurrentOptions options)
    : Recurrent("GRU", Cell::kGRU, inputs, hidden, std::move(options)) {}

}  // namespace pellucid::nn
