// One step of training as one function. See step.h.
#include "train/step.h"

#include <algorithm>

#include "array/node.h"
#include "base/fail.h"
#include "ops/traced.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"

namespace pellucid::train {

using base::fail;

namespace {

/// Takes lists apart, front to back.
class Reader {
 public:
  explicit Reader(const Arrays& all) : all_(all) {}
  Arrays take(std::size_t count) {
    const auto from = all_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += count;
    return Arrays(from, from + static_cast<std::ptrdiff_t>(count));
  }
  const Array& next() { return all_[at_++]; }

 private:
  const Arrays& all_;
  std::size_t at_ = 0;
};

void append(Arrays& list, const Arrays& more) { list.insert(list.end(), more.begin(), more.end()); }

void check_loss(const loss::Loss& loss, const Array& value) {
  if (value.rank() == 0 && is_float(value.dtype())) return;
  fail("fit: {} gives {}{}, not one floating number; use the reduction kMean or kSum", loss.name(), value.dtype(),
       value.shape());
}

/// Indices are looked at by the losses of this library where they have values: all of them, once, before training.
void check_targets(const loss::Loss& loss, const Array& output, const Dataset& data) {
  if (loss.name() == loss::Loss().name()) return;
  Shape shape = output.shape();
  if (shape.empty()) return;
  shape[0] = data.x.size(0);
  loss(zeros(shape, output.dtype()), data.y, data.weights);
}

Dataset first_rows(const Dataset& data, std::int64_t rows) {
  if (rows == data.x.size(0)) return data;
  return {slice(data.x, 0, 0, rows), slice(data.y, 0, 0, rows),
          data.weights.defined() ? slice(data.weights, 0, 0, rows) : Array()};
}

}  // namespace

Learned::Learned(nn::Ref of) : module(of), buffers(nn::buffers(of)) {
  for (nn::NamedArray& parameter : nn::named_parameters(of)) {
    mask.push_back(parameter.trainable);
    if (parameter.trainable) names.push_back(std::move(parameter.name));
    (parameter.trainable ? trainable : frozen).push_back(std::move(parameter.value));
  }
}

Arrays Learned::parameters(std::span<const Array> values) const {
  Arrays all;
  all.reserve(mask.size());
  std::size_t learned = 0, fixed = 0;
  for (const bool trained : mask) all.push_back(trained ? values[learned++] : frozen[fixed++]);
  return all;
}

Compiled make_step(const Learned& learned, const StepSetup& setup, std::int64_t rows) {
  const std::size_t weights = learned.trainable.size();
  const std::size_t moments = setup.optimizer.state_size(weights);
  GradOptions grad_options{.allow_unused = setup.allow_unused, .names = learned.names};
  for (std::size_t i = 0; i < weights; ++i) grad_options.arguments.push_back(static_cast<int>(i));

  Function step = [learned, setup, rows, weights, moments, grad_options](const Arrays& all) {
    Reader read(all);
    const Arrays trainable = read.take(weights), state = read.take(moments),
                 buffers = read.take(learned.buffers.size());
    const Array count = setup.random ? read.next() : Array();
    const Array position = setup.gathered ? read.next() : Array();
    Learned here = learned;
    here.frozen = read.take(learned.frozen.size());
    Dataset batch{read.next(), read.next(), setup.weighted ? read.next() : Array()};
    const random::Key key = setup.random ? random::fold_in(read.next(), count) : random::key(0);
    if (setup.gathered) {
      Array at = position + arange(rows);
      if (setup.shuffled) at = take(read.next(), at);
      batch = {take(batch.x, at), take(batch.y, at), setup.weighted ? take(batch.weights, at) : Array()};
    }

    const Function forward = nn::functional(learned.module, [&](const Arrays& in) {
      const nn::Context context(key);
      const PrecisionScope precision(setup.precision);
      return Arrays{setup.loss(learned.module(in[0]), in[1], in.size() > 2 ? in[2] : Array())};
    });
    const Function loss = [&](const Arrays& w) {
      Arrays arguments = here.parameters(w);
      append(arguments, buffers);
      append(arguments, {batch.x, batch.y});
      if (setup.weighted) arguments.push_back(batch.weights);
      return forward(arguments);
    };
    const auto [value, gradients, new_buffers] = transform::value_and_grad(loss, trainable, grad_options);
    auto [result, new_state] = setup.optimizer.update(trainable, gradients, state);
    append(result, new_state);
    append(result, new_buffers);
    if (setup.random) result.push_back(count + std::int64_t{1});
    if (setup.gathered) {
      const Array next = position + rows;
      result.push_back(where(next < setup.examples, next, astype(Array(0), int64)));
    }
    result.push_back(value.dtype() == bfloat16 ? astype(value, float32) : value);
    return result;
  };
  return Compiled(std::move(step), {.name = "fit"});
}

bool try_step(const Learned& learned, const StepSetup& setup, const Dataset& data, std::int64_t rows) {
  const array::KeepGraph keep;
  const Dataset batch = first_rows(data, rows);
  const nn::Swap swap(learned.module, learned.parameters(learned.trainable), learned.buffers);
  const Array key = ops::placeholder({2}, int64);
  const nn::Context context(key);
  const Array output = learned.module(batch.x);
  const Array value = setup.loss(output, batch.y, batch.weights);
  check_loss(setup.loss, value);
  check_targets(setup.loss, output, data);
  Arrays results = swap.buffers();
  results.push_back(value);
  const ops::Reached reached = ops::reached_from({key}, results);
  return std::any_of(results.begin(), results.end(), [&](const Array& x) { return reached.contains(x); });
}

void try_evaluation(const Learned& learned, const loss::Loss& loss, const Dataset& data) {
  const nn::Swap swap(learned.module, learned.parameters(learned.trainable), learned.buffers);
  const auto context = nn::Context::evaluation();
  const Array output = learned.module(data.x);
  check_loss(loss, loss(output, data.y, data.weights));
}

}  // namespace pellucid::train
