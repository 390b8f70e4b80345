// The network of the recipe, its folds and its training. See ensemble.h.
#include "tables/ensemble.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <numeric>

#include "pellucid/loss.h"
#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"

namespace pellucid::tables {

namespace {

constexpr double kLevels[] = {0.05, 0.95};  // the quantiles that intervals begin with

/// The ensemble as fit sees it: an example is a row of positions, one for each member; (n, members) -> (n, members,
/// outputs).
struct SideBySide : nn::Module {
  SideBySide(nn::Ensemble ensemble, const Array& rows)
      : members(std::move(ensemble)), x(std::make_shared<const Array>(rows)) {}
  Array operator()(const Array& positions) const {
    return permute(members.apart(take(*x, transpose(positions), 0)), {1, 0, 2});
  }
  PELLUCID_MEMBERS(members)
  nn::Ensemble members;
  std::shared_ptr<const Array> x;
};

/// One column of positions for each member; shorter lists begin again.
Array side_by_side(const std::vector<data::Rows>& lists) {
  std::size_t longest = 0;
  for (const data::Rows& list : lists) longest = std::max(longest, list.size());
  std::vector<std::int64_t> positions;
  positions.reserve(longest * lists.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (const data::Rows& list : lists) positions.push_back(list[i % list.size()]);
  }
  return Array::from(positions, {static_cast<std::int64_t>(longest), static_cast<std::int64_t>(lists.size())});
}

/// The mean loss of a value, and of two quantiles that stand behind it.
Array loss_with_quantiles(const loss::Loss& loss, const Array& output, const Array& y, const Array& weights) {
  Array sum = loss(slice(output, 1, 0, 1), y, weights);
  for (int i = 0; i < 2; ++i) {
    const loss::Loss quantile = loss::Quantile{.quantile = kLevels[i]};
    sum = sum + quantile(slice(output, 1, i + 1, i + 2), y, weights) * 0.5;
  }
  return sum;
}

/// The mean loss of all members' outputs (n, members, outputs) at positions (n, members).
loss::Loss loss_of_members(const loss::Loss& loss, const Dataset& rows) {
  return [loss, rows](const Array& output, const Array& positions) {
    const Array at = reshape(positions, {-1});
    const Array flat = reshape(output, {-1, output.size(2)}), y = take(rows.y, at, 0);
    const Array weights = rows.weights.defined() ? take(rows.weights, at, 0) : Array();
    return rows.y.rank() == 2 ? loss_with_quantiles(loss, flat, y, weights) : loss(flat, y, weights);
  };
}

/// Takes (n, members, outputs) of side_by_side(folds.held_out) to (rows, outputs): each row once.
Array in_order(const nn::Ensemble& ensemble, const Array& outputs, const Folds& folds) {
  if (folds.common) return ensemble.mean_of(permute(outputs, {1, 0, 2}));
  const auto members = static_cast<std::int64_t>(folds.held_out.size());
  std::vector<std::int64_t> from;
  for (std::size_t m = 0; m < folds.held_out.size(); ++m) {
    for (std::size_t i = 0; i < folds.held_out[m].size(); ++i) {
      from.push_back(static_cast<std::int64_t>(i) * members + static_cast<std::int64_t>(m));
    }
  }
  return take(reshape(outputs, {-1, outputs.size(2)}), Array::from(from), 0);
}

std::uint64_t digest(std::uint64_t sum, const Array& x) {
  if (!x.defined()) return sum;
  const std::vector<double> values = astype(x, float64).to_vector<double>();
  for (const double value : values) {
    sum ^= std::bit_cast<std::uint64_t>(value);
    sum *= 0x100000001b3;
    sum ^= sum >> 29;
  }
  return sum;
}

optim::Optimizer optimizer_for(const Recipe& recipe, std::int64_t steps) {
  const auto rate = [&](double factor) {
    return schedule::by_name(recipe.schedule, recipe.learning_rate * factor, steps);
  };
  optim::Rule rule = optim::by_name(recipe.optimizer, rate(1));
  std::visit(
      [&](auto& chosen) {
        chosen.weight_decay = recipe.weight_decay;
        if constexpr (requires { chosen.decoupled; }) chosen.decoupled = true;
        if constexpr (requires { chosen.beta2; }) chosen.beta2 = 0.95;
      },
      rule);
  optim::Options around;
  around.l1 = recipe.l1;
  around.l2 = recipe.l2;
  if (recipe.average > 0) around.average = recipe.average;
  if (recipe.embeds) {
    around.groups.push_back({.pattern = "members.0.*", .learning_rate = rate(0.1), .weight_decay = 0});
  }
  const std::string scale = recipe.embeds ? "members.1.weight" : "members.0.weight";
  around.groups.push_back({.pattern = scale, .learning_rate = rate(6), .weight_decay = 0});
  around.groups.push_back({.pattern = "*.bias", .learning_rate = rate(0.1), .weight_decay = 0});
  return {rule, around};
}

}  // namespace

Folds make_folds(std::int64_t rows, std::int64_t members, std::uint64_t seed, std::span<const std::int32_t> classes) {
  const data::Rows all = data::all_rows(rows);
  Folds folds;
  for (data::Split& split : data::folds(all, static_cast<int>(members), seed, classes)) {
    folds.training.push_back(std::move(split.training));
    folds.held_out.push_back(std::move(split.held_out));
  }
  return folds;
}

Folds common_folds(std::int64_t training, std::int64_t held_out, std::int64_t members) {
  data::Rows behind(static_cast<std::size_t>(held_out));
  std::iota(behind.begin(), behind.end(), training);
  const auto count = static_cast<std::size_t>(members);
  return {.training = std::vector<data::Rows>(count, data::all_rows(training)),
          .held_out = std::vector<data::Rows>(held_out > 0 ? count : 0, behind),
          .common = true};
}

std::vector<std::int64_t> number_inputs(const data::Preprocessing& preprocessing) {
  std::vector<std::int64_t> positions;
  std::int64_t at = 0;
  for (const data::Feature& feature : preprocessing.features) {
    const auto numbers = static_cast<std::int64_t>(feature.numbers.size());
    for (std::int64_t i = 0; i < numbers; ++i) positions.push_back(at + i);
    at += feature.inputs();
  }
  return positions;
}

nn::Sequential make_ensemble(const Recipe& recipe, data::Task task, std::int64_t inputs,
                             const std::vector<std::int64_t>& numbers, std::int64_t outputs, std::uint64_t seed) {
  std::vector<nn::AnyLayer> body;
  std::int64_t width = inputs;
  if (recipe.embeds) {
    nn::NumberEmbedding embedding(inputs, numbers);
    width = embedding.width();
    body.emplace_back(std::move(embedding));
  }
  body.emplace_back(nn::FeatureScale(width));
  for (const std::int64_t hidden : recipe.hidden) {
    body.emplace_back(nn::NTKLinear(width, hidden));
    body.push_back(activation_layer(recipe.activation));
    if (recipe.dropout > 0) body.emplace_back(nn::Dropout(recipe.dropout));
    width = hidden;
  }
  const bool classes = task == data::Task::kClassification;
  body.emplace_back(nn::NTKLinear(width, classes ? outputs : 3, {.stddev = 0}));
  nn::Sequential network;
  network.push_back(nn::Ensemble(recipe.members, classes ? nn::EnsembleMean::kProbabilities : nn::EnsembleMean::kScores,
                                 std::move(body)));
  if (!classes) network.push_back(nn::Intervals());
  nn::initialize(network, random::key(seed));
  return network;
}

FitResult fit_ensemble(nn::Sequential& network, const Recipe& recipe, const data::Target& target, const Dataset& rows,
                       const Folds& folds, FitOptions fitting) {
  nn::Ensemble& ensemble = *network[0].as<nn::Ensemble>();
  const bool classes = target.task == data::Task::kClassification;
  SideBySide module(ensemble, rows.x);

  // Each member gets its rows in an order of its own; fit then draws batches of the same places from all.
  std::vector<data::Rows> lists = folds.training;
  const random::Key key = random::fold_in(random::key(fitting.seed), Array(7));
  for (std::size_t m = 0; m < lists.size(); ++m) {
    const auto order = random::permutation(random::fold_in(key, Array(static_cast<std::int64_t>(m))),
                                           static_cast<std::int64_t>(lists[m].size()))
                           .to_vector<std::int64_t>();
    data::Rows shuffled;
    for (const std::int64_t i : order) shuffled.push_back(lists[m][static_cast<std::size_t>(i)]);
    lists[m] = std::move(shuffled);
  }
  const Array training = side_by_side(lists);
  const std::int64_t count = training.size(0), batch = std::min(recipe.batch, count);
  fitting.optimizer = optimizer_for(recipe, (count + batch - 1) / batch * recipe.epochs);
  fitting.loss = loss_of_members(make_loss(recipe), rows);
  fitting.precision = precision_by_name(recipe.precision);
  fitting.max_epochs = recipe.epochs;
  fitting.batch_size = batch;
  fitting.patience = recipe.patience;
  const std::uint64_t data = digest(digest(digest(0xcbf29ce484222325, rows.x), rows.y), rows.weights);
  fitting.checkpoint.note += " of rows " + std::to_string(data);

  if (!folds.held_out.empty()) {
    const Array held_out = side_by_side(folds.held_out);
    fitting.validation = Validation(held_out, held_out);
    const Array at = Array::from(held_out_rows(folds));
    const Array truth = take(rows.y, at, 0).evaluate();
    const Array weights = rows.weights.defined() ? take(rows.weights, at, 0).evaluate() : Array();
    const auto metric = [&](const char* name, bool maximize, auto compute) {
      return Metric(
          name,
          [folds, truth, weights, compute, &ensemble](const Array& outputs, const Array&, const Array&) {
            return static_cast<double>(compute(in_order(ensemble, outputs, folds), truth, weights));
          },
          maximize);
    };
    if (classes) {
      fitting.metrics = {
          metric("accuracy", true,
                 [](const Array& p, const Array& y, const Array& w) { return metrics::accuracy(p, y, w); }),
          metric("held_out", false, [](const Array& p, const Array& y, const Array& w) {
            const Array miss = softmax(p) - one_hot(y, p.size(1));
            const Array squares = mean(square(miss), {1});
            return (w.defined() ? sum(squares * w) / sum(w) : mean(squares)).item<double>();
          })};
    } else {
      const double scale = target.scale;
      const auto error = [scale](const Array& p, const Array& y, const Array& w) {
        return metrics::root_mean_squared_error(slice(p, 1, 0, 1), y, w) * scale;
      };
      fitting.metrics = {metric("root_mean_squared_error", false, error), metric("held_out", false, error)};
    }
    fitting.monitor = "held_out";
  }
  const FitResult result = fit(module, {.x = training, .y = training}, fitting);
  ensemble = module.members;
  return result;
}

data::Rows held_out_rows(const Folds& folds) {
  if (folds.held_out.empty()) return {};
  if (folds.common) return folds.held_out[0];
  data::Rows rows;
  for (const data::Rows& fold : folds.held_out) rows.insert(rows.end(), fold.begin(), fold.end());
  return rows;
}

Array held_out_outputs(const nn::Ensemble& ensemble, const Array& x, const Folds& folds) {
  SideBySide module(ensemble, x);
  return in_order(ensemble, predict(module, side_by_side(folds.held_out)), folds).evaluate();
}

double calibrate_ensemble(nn::Sequential& network, data::Task task, const Array& outputs, const Array& y,
                          double level) {
  if (task == data::Task::kClassification) {
    const double factor = best_temperature(outputs, y);
    auto& temperature = network[0].as<nn::Ensemble>()->temperature;
    temperature.update((temperature.value * factor).evaluate());
    return factor;
  }
  // How far each truth lies outside its bounds; the margin is the quantile that makes `level` of them lie inside.
  const Array low = slice(outputs, 1, 1, 2), high = slice(outputs, 1, 2, 3);
  std::vector<double> outside = reshape(astype(maximum(low - y, y - high), float64), {-1}).to_vector<double>();
  std::sort(outside.begin(), outside.end());
  const auto n = static_cast<double>(outside.size());
  const auto rank = static_cast<std::size_t>(std::clamp(std::ceil((n + 1) * level), 1.0, n));
  const double margin = outside[rank - 1];
  network[1].as<nn::Intervals>()->margin.update(Array::from(std::vector<float>{static_cast<float>(margin)}));
  return margin;
}

}  // namespace pellucid::tables
