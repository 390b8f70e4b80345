// Successive halving. See search.h.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/fail.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "tables/search.h"
#include "tables/side_by_side.h"

namespace pellucid::tables {

namespace {

constexpr double kRates[] = {1, 0.35, 2.5, 0.12};  // times the recipe's; the given one first
constexpr double kNone = std::numeric_limits<double>::infinity();

/// An architecture and one learning rate for it.
struct Trial {
  std::size_t architecture = 0;
  double rate = 1;
  double error = kNone;
};

// The error of each trial on the rows that its members leave out, at its best epoch: all of one architecture as one
// graph, `folds` members for each rate. False where it was interrupted.
bool measure(std::vector<Trial*> trials, Recipe recipe, const Problem& problem, std::int64_t epochs, std::int64_t folds,
             const TableOptions& options) {
  const Folds all = problem.folds(recipe.members, problem.seed);
  const std::size_t each = std::min<std::size_t>(static_cast<std::size_t>(folds), all.training.size());
  std::vector<data::Rows> training, held_out;
  std::vector<float> rates;
  for (const Trial* trial : trials) {
    for (std::size_t f = 0; f < each; ++f) {
      training.push_back(all.training[f]);
      held_out.push_back(all.held_out[f]);
      rates.push_back(static_cast<float>(trial->rate));
    }
  }
  recipe.members = static_cast<std::int64_t>(training.size());
  recipe.epochs = epochs;
  nn::Sequential network = make_ensemble(recipe, problem.target.task, problem.rows.x.size(1), problem.embedded,
                                         problem.outputs, problem.seed);
  SideBySide module(*network[0].as<nn::Ensemble>(), problem.rows.x, Array::from(rates));
  const Array positions = side_by_side(shuffled(training, problem.seed)), validation = side_by_side(held_out);
  const std::int64_t batch = std::min(recipe.batch, positions.size(0));
  FitOptions fitting;
  fitting.seed = problem.seed;
  fitting.optimizer = optimizer_for(recipe, (positions.size(0) + batch - 1) / batch * epochs);
  fitting.loss = loss_of_members(make_loss(recipe), problem.rows);
  fitting.precision = precision_by_name(recipe.precision);
  fitting.max_epochs = epochs;
  fitting.batch_size = batch;
  fitting.validation = Validation(validation, validation);
  fitting.on_progress = options.on_progress;
  fitting.catch_interrupt = options.catch_interrupt;
  const Array y = take(problem.rows.y, reshape(validation, {-1}), 0).evaluate();
  for (Trial* trial : trials) trial->error = kNone;
  // Members with too high a rate may come to numbers that are none: they are the worst.
  fitting.metrics = {Metric(
      "error",
      [&](const Array& outputs, const Array&, const Array&) {
        const Array flat = reshape(outputs, {-1, outputs.size(2)});
        const Array squares = y.rank() == 1 ? mean(square(softmax(flat) - one_hot(y, flat.size(1))), {1})
                                            : reshape(square(slice(flat, 1, 0, 1) - y), {-1});
        const auto errors = mean(reshape(squares, {outputs.size(0), outputs.size(1)}), {0}).to_vector<float>();
        double least = kNone;
        for (std::size_t i = 0; i < trials.size(); ++i) {
          double sum = 0;
          for (std::size_t f = 0; f < each; ++f) sum += errors[i * each + f];
          if (std::isfinite(sum)) trials[i]->error = std::min(trials[i]->error, sum / static_cast<double>(each));
          least = std::min(least, trials[i]->error);
        }
        return least;
      },
      false)};
  fitting.monitor = "error";
  const Reason reason = fit(module, {.x = positions, .y = positions}, fitting).reason;
  return reason != Reason::kInterrupted && reason != Reason::kStopped;
}

}  // namespace

std::vector<Recipe> draw_architectures(const Recipe& recipe, const TableOptions& options, const Problem& problem,
                                       std::size_t count) {
  const std::vector<std::vector<std::int64_t>> hidden = {{64, 64},     {256, 256}, {128, 128, 128}, {256},
                                                         {64, 64, 64}, {512},      {32, 32},        {128}};
  const bool smooths = recipe.label_smoothing > 0 && !options.label_smoothing;
  std::vector<Recipe> all = {recipe};
  std::vector<std::string> known = {to_json(recipe).dump()};
  const auto picks = random::integers(random::key(problem.seed + 31), {64 * 5}, 0, 1 << 20).to_vector<std::int64_t>();
  for (std::size_t i = 0; i + 5 <= picks.size() && all.size() < count; i += 5) {
    Recipe next = recipe;
    const auto pick = [&](std::size_t k, std::int64_t of) { return static_cast<std::size_t>(picks[i + k] % of); };
    if (!options.hidden) next.hidden = hidden[pick(0, static_cast<std::int64_t>(hidden.size()))];
    next.embeds = recipe.embeds && pick(1, 3) > 0;
    if (!options.dropout) next.dropout = std::vector<double>{0, 0, 0.15, 0.3}[pick(2, 4)];
    if (smooths) next.label_smoothing = std::vector<double>{0.1, 0.1, 0, 0.05}[pick(3, 4)];
    if (!options.weight_decay) next.weight_decay = std::vector<double>{0, 0, 0.02, 0.1}[pick(4, 4)];
    const std::string text = to_json(next).dump();
    if (std::find(known.begin(), known.end(), text) != known.end()) continue;
    known.push_back(text);
    all.push_back(std::move(next));
  }
  return all;
}

std::string words(const Recipe& recipe) {
  std::string sizes;
  for (const std::int64_t size : recipe.hidden) sizes += (sizes.empty() ? "" : ",") + std::to_string(size);
  return base::format(
      "hidden {}, learning rate {:.3g}{}{}{}{}", sizes.empty() ? "none" : sizes, recipe.learning_rate,
      recipe.embeds ? "" : ", numbers as they are",
      recipe.dropout > 0 ? base::format(", dropout {}", recipe.dropout) : std::string(),
      recipe.weight_decay > 0 ? base::format(", weight decay {}", recipe.weight_decay) : std::string(),
      recipe.label_smoothing > 0 ? base::format(", label smoothing {}", recipe.label_smoothing) : std::string());
}

std::vector<Recipe> tune(const Recipe& recipe, const TableOptions& options, const Problem& problem,
                         const std::function<void(const std::string&)>& told) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(1, *options.tune));
  const std::size_t rates = options.learning_rate ? 1 : std::min<std::size_t>(4, count);
  const std::vector<Recipe> architectures = draw_architectures(recipe, options, problem, (count + rates - 1) / rates);
  std::vector<Trial> trials;
  for (std::size_t a = 0; a < architectures.size(); ++a) {
    for (std::size_t r = 0; r < rates && trials.size() < count; ++r) trials.push_back({a, kRates[r], kNone});
  }
  const auto recipe_of = [&](const Trial& trial) {
    Recipe chosen = architectures[trial.architecture];
    chosen.learning_rate *= trial.rate;
    return chosen;
  };
  std::int64_t folds = 2;
  for (const std::int64_t part : {4, 2}) {
    const std::int64_t epochs = std::max<std::int64_t>(1, recipe.epochs / part);
    std::map<std::size_t, std::vector<Trial*>> graphs;
    for (Trial& trial : trials) graphs[trial.architecture].push_back(&trial);
    for (const auto& [a, together] : graphs) {
      if (!measure(together, architectures[a], problem, epochs, folds, options)) return {};
    }
    // The first of equals stays in front: the given recipe.
    std::stable_sort(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) { return a.error < b.error; });
    if (told) {
      told(base::format("{} tried in {} {} for {} {}: best {} (error {:.5g})", trials.size(), graphs.size(),
                        graphs.size() == 1 ? "graph" : "graphs", epochs, epochs == 1 ? "epoch" : "epochs",
                        words(recipe_of(trials.front())), trials.front().error));
    }
    trials.resize((trials.size() + 1) / 2);
    folds *= 2;
  }
  std::vector<Recipe> found;
  for (const Trial& trial : trials) {
    if (trial.error < kNone && (trial.architecture > 0 || trial.rate != 1)) found.push_back(recipe_of(trial));
  }
  return found;
}

}  // namespace pellucid::tables
