// Ensembles while there is time. See search.h.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "pellucid/ops.h"
#include "tables/search.h"

namespace pellucid::tables {

namespace {

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Held-out outputs in the order of rows: for classes the log of probabilities.
Array by_row(const nn::Sequential& network, const Problem& problem, const Folds& folds) {
  const Array outputs = held_out_outputs(*network[0].as<nn::Ensemble>(), problem.rows.x, folds);
  const data::Rows rows = held_out_rows(folds);
  std::vector<std::int64_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return rows[static_cast<std::size_t>(a)] < rows[static_cast<std::size_t>(b)];
  });
  const Array sorted = take(outputs, Array::from(order), 0);
  return (problem.rows.y.rank() == 1 ? softmax(sorted) : sorted).evaluate();
}

// The mean squared error of such outputs: of probabilities, or of standardised values.
double error_of(const Array& outputs, const Problem& problem) {
  const Array& y = problem.rows.y;
  const Array miss = y.rank() == 1 ? outputs - one_hot(y, outputs.size(1)) : slice(outputs, 1, 0, 1) - y;
  return mean(square(miss)).item<double>();
}

// All members of two ensembles as one.
nn::Sequential joined(const Recipe& recipe, const Problem& problem, const nn::Sequential& a, const nn::Sequential& b) {
  nn::Sequential both = make_ensemble(recipe, problem.target.task, problem.rows.x.size(1), problem.numbers,
                                      problem.outputs, problem.seed);
  const Arrays of_a = nn::parameters(a), of_b = nn::parameters(b);
  Arrays values;
  for (std::size_t i = 0; i < of_a.size(); ++i) values.push_back(concat({of_a[i], of_b[i]}).evaluate());
  nn::set_parameters(both, values);
  return both;
}

// So many epochs that training takes about so long: by the time of one.
std::int64_t epochs_within(const nn::Sequential& network, const Recipe& recipe, const Problem& problem,
                           const Folds& folds, const FitOptions& fitting, double seconds) {
  nn::Sequential trial = network;
  Recipe short_recipe = recipe;
  short_recipe.patience.reset();
  FitOptions options;
  options.seed = fitting.seed;
  options.catch_interrupt = fitting.catch_interrupt;
  options.max_seconds = seconds * 0.1;
  short_recipe.epochs = 2;
  const FitResult result = fit_ensemble(trial, short_recipe, problem.target, problem.rows, folds, options);
  const auto rows = static_cast<double>(folds.training[0].size());
  const double steps = std::ceil(rows / static_cast<double>(recipe.batch));
  const double an_epoch = result.seconds / std::max(1.0, static_cast<double>(result.steps)) * steps;
  const double most = std::floor(0.8 * seconds / an_epoch);
  return std::clamp(static_cast<std::int64_t>(most), std::int64_t{1}, recipe.epochs);
}

}  // namespace

FitResult fit_for(nn::Sequential& network, Recipe& recipe, const Problem& problem, FitOptions fitting, double seconds,
                  Array& held_out) {
  const Clock clock;
  const std::int64_t members = recipe.members;
  Folds folds = problem.folds(members, problem.seed);
  recipe.epochs = epochs_within(network, recipe, problem, folds, fitting, seconds);
  const auto left = [&] { return seconds - clock.seconds(); };
  fitting.max_seconds = std::max(left(), 0.01);
  FitResult result = fit_ensemble(network, recipe, problem.target, problem.rows, folds, fitting);
  if (result.reason == Reason::kDiverged || result.reason == Reason::kInterrupted) return result;
  Array sum = by_row(network, problem, folds);
  fitting.on_epoch = {};
  std::int64_t ensembles = 1, trained = 1;
  double one = result.seconds, error = error_of(sum, problem);
  bool longer = true;  // more epochs have not been found to be of no use
  while (result.reason == Reason::kMaxEpochs) {
    Recipe next = recipe;
    next.members = members;
    longer = longer && left() > 2.2 * one;
    if (longer) next.epochs *= 2;
    if (left() < 1.1 * one) break;
    const std::uint64_t seed = problem.seed + 7919 * static_cast<std::uint64_t>(trained++);
    nn::Sequential other =
        make_ensemble(next, problem.target.task, problem.rows.x.size(1), problem.numbers, problem.outputs, seed);
    folds = problem.folds(members, seed);
    fitting.seed = seed;
    fitting.max_seconds = std::max(left(), 0.01);
    const FitResult more = fit_ensemble(other, next, problem.target, problem.rows, folds, fitting);
    result.steps += more.steps;
    if (more.reason != Reason::kMaxEpochs) {
      if (more.reason == Reason::kInterrupted) result.reason = more.reason;
      break;
    }
    const Array said = by_row(other, problem, folds);
    const double its_error = error_of(said, problem);
    if (longer && its_error < 0.98 * error) {  // those before it were trained too little
      network = std::move(other);
      recipe.epochs = next.epochs;
      recipe.members = members;
      sum = said;
      ensembles = 1;
      one = more.seconds;
      error = its_error;
      continue;
    }
    longer = false;
    sum = (sum + said).evaluate();
    recipe.members += members;
    network = joined(recipe, problem, network, other);
    ++ensembles;
  }
  const Array mean = sum / static_cast<double>(ensembles);
  held_out = (problem.rows.y.rank() == 1 ? log(mean + 1e-12) : mean).evaluate();
  result.seconds = clock.seconds();
  result.explanation = base::format(
      "{} of {} networks within {:.3g} seconds",
      ensembles == 1 ? std::string("an ensemble") : base::format("{} ensembles", ensembles), members, seconds);
  return result;
}

}  // namespace pellucid::tables
