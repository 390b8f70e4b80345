// Functions of lists of arrays for training loops: norms, clipping, penalties, averages, and the whole step as one
// function.
#include "optim/check.h"
#include "pellucid/ops.h"
#include "pellucid/optim.h"

namespace pellucid::optim {

namespace {

/// The type in which one parameter's update is computed.
DType wide(DType dtype) { return dtype == bfloat16 ? float32 : dtype; }

/// Sum of f(x) over all arrays, of the widest of their types.
template <class F>
Array sum_over(const Arrays& arrays, const F& f) {
  Array total;
  for (const Array& x : arrays) {
    const Array part = sum(f(astype(x, wide(x.dtype()))));
    total = total.defined() ? total + part : part;
  }
  return total.defined() ? total : zeros({});
}

/// x times min(1, most / norm), without a division by zero; a norm that is NaN makes x NaN.
Array shortened(const Array& x, const Array& norm, double most) {
  return x * astype(most / maximum(norm, most), x.dtype());
}

}  // namespace

Array global_norm(const Arrays& arrays) {
  return sqrt(sum_over(arrays, [](const Array& x) { return square(x); }));
}

Arrays clip_by_value(const Arrays& gradients, double most) {
  check_range("clip_by_value", "most", most, Range::kPositive);
  Arrays result;
  for (const Array& g : gradients) result.push_back(clip(g, -most, most));
  return result;
}

Arrays clip_by_norm(const Arrays& gradients, double most) {
  check_range("clip_by_norm", "most", most, Range::kPositive);
  Arrays result;
  for (const Array& g : gradients) result.push_back(shortened(g, global_norm({g}), most));
  return result;
}

Arrays clip_by_global_norm(const Arrays& gradients, double most) {
  check_range("clip_by_global_norm", "most", most, Range::kPositive);
  const Array norm = global_norm(gradients);
  Arrays result;
  for (const Array& g : gradients) result.push_back(shortened(g, norm, most));
  return result;
}

Array l1_penalty(const Arrays& parameters, double strength) {
  check_range("l1_penalty", "strength", strength, Range::kNotNegative);
  return sum_over(parameters, [](const Array& x) { return abs(x); }) * strength;
}

Array l2_penalty(const Arrays& parameters, double strength) {
  check_range("l2_penalty", "strength", strength, Range::kNotNegative);
  return sum_over(parameters, [](const Array& x) { return square(x); }) * (strength / 2);
}

Arrays moving_average(const Arrays& averages, const Arrays& parameters, double decay) {
  check_range("moving_average", "decay", decay, Range::kToOne);
  if (averages.size() != parameters.size())
    base::fail("moving_average: {} averages of {} parameters: give one for each", averages.size(), parameters.size());
  Arrays result;
  for (std::size_t i = 0; i < averages.size(); ++i)
    result.push_back(averages[i] + (parameters[i] - averages[i]) * (1 - decay));
  return result;
}

Function training_step(Function loss, Optimizer optimizer, std::size_t parameters, GradOptions options) {
  if (!options.arguments.empty())
    base::fail("training_step: options.arguments is set: the parameters are what is differentiated; leave it empty");
  for (std::size_t i = 0; i < parameters; ++i) options.arguments.push_back(static_cast<int>(i));
  return [loss = std::move(loss), optimizer = std::move(optimizer), parameters,
          options = std::move(options)](const Arrays& all) {
    const std::size_t moments = optimizer.state_size(parameters);
    if (all.size() < parameters + moments)
      base::fail("training_step: {} arrays, but {} parameters and {} arrays of the optimiser's state come first",
                 all.size(), parameters, moments);
    const auto first_input = all.begin() + static_cast<std::ptrdiff_t>(parameters + moments);
    const auto first_moment = all.begin() + static_cast<std::ptrdiff_t>(parameters);
    Arrays arguments(all.begin(), first_moment);
    arguments.insert(arguments.end(), first_input, all.end());
    ValueAndGradients found = transform::value_and_grad(loss, arguments, options);
    auto [result, state] =
        optimizer.update(Arrays(all.begin(), first_moment), found.gradients, Arrays(first_moment, first_input));
    result.insert(result.end(), state.begin(), state.end());
    result.push_back(found.value);
    result.insert(result.end(), found.extra.begin(), found.extra.end());
    return result;
  };
}

}  // namespace pellucid::optim
