// The network of the recipe, its folds and its training. See ensemble.h.
#include "tables/ensemble.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "tables/side_by_side.h"

namespace pellucid::tables {

namespace {

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

EmbeddedInputs embedded_inputs(const data::Preprocessing& preprocessing) {
  constexpr std::int64_t kFew = 9;  // categories that stay as they are, as in RealMLP
  EmbeddedInputs embedded;
  std::int64_t at = 0;
  for (const data::Feature& feature : preprocessing.features) {
    const auto numbers = static_cast<std::int64_t>(feature.numbers.size());
    for (std::int64_t i = 0; i < numbers; ++i) embedded.numbers.push_back(at + i);
    const std::int64_t levels = feature.inputs() - (feature.missing_input ? 1 : 0);
    if (feature.kind == data::Feature::Kind::kCategory && levels > kFew) {
      embedded.firsts.push_back(at);
      embedded.counts.push_back(levels);
    }
    at += feature.inputs();
  }
  return embedded;
}

nn::Sequential make_ensemble(const Recipe& recipe, data::Task task, std::int64_t inputs, const EmbeddedInputs& embedded,
                             std::int64_t outputs, std::uint64_t seed) {
  std::vector<nn::AnyLayer> body;
  std::int64_t width = inputs;
  if (recipe.embeds) {
    nn::NumberEmbedding embedding(inputs, embedded.numbers);
    width = embedding.width();
    body.emplace_back(std::move(embedding));
  }
  if (recipe.embeds_categories) {
    nn::CategoryEmbedding embedding(width, embedded.firsts, embedded.counts);
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
  // Where each row is left out by one member alone, its margin is that of one member, and the mean's is known by how
  // far members lie apart.
  const nn::EnsembleMean mean = classes        ? nn::EnsembleMean::kProbabilities
                                : recipe.folds ? nn::EnsembleMean::kScoresAndVariance
                                               : nn::EnsembleMean::kScores;
  network.push_back(nn::Ensemble(recipe.members, mean, std::move(body)));
  if (!classes) network.push_back(nn::Intervals());
  nn::initialize(network, random::key(seed));
  return network;
}

FitResult fit_ensemble(nn::Sequential& network, const Recipe& recipe, const data::Target& target, const Dataset& rows,
                       const Folds& folds, FitOptions fitting) {
  nn::Ensemble& ensemble = *network[0].as<nn::Ensemble>();
  const bool classes = target.task == data::Task::kClassification;
  SideBySide module(ensemble, rows.x);

  // Each member has an order of its own; fit then draws batches of the same places from all.
  const Array training = side_by_side(shuffled(folds.training, fitting.seed));
  const std::int64_t count = training.size(0), batch = std::min(recipe.batch, count);
  fitting.optimizer = optimizer_for(recipe, (count + batch - 1) / batch * recipe.epochs);
  fitting.loss = loss_of_members(make_loss(recipe), rows);
  fitting.precision = precision_by_name(recipe.precision);
  fitting.max_epochs = recipe.epochs;
  fitting.batch_size = batch;
  fitting.patience = recipe.patience;
  if (!fitting.checkpoint.path.empty()) {
    const std::uint64_t data = digest(digest(digest(0xcbf29ce484222325, rows.x), rows.y), rows.weights);
    fitting.checkpoint.note += " of rows " + std::to_string(data);
  }

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
      const auto shown = [target](const Array& p, const Array& y, const Array& w) {
        return error_in_units(target, slice(p, 1, 0, 1), y, w);
      };
      const auto watched = [](const Array& p, const Array& y, const Array& w) {
        return metrics::root_mean_squared_error(slice(p, 1, 0, 1), y, w);
      };
      fitting.metrics = {metric("root_mean_squared_error", false, shown), metric("held_out", false, watched)};
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
    // The parts of a blend are calibrated already.
    const bool blend = network[0].as<nn::Blend>() != nullptr;
    const double factor = best_temperature(outputs, y, blend ? 50 : 0);
    auto* ensemble = network[0].as<nn::Ensemble>();
    auto& temperature = ensemble != nullptr ? ensemble->temperature : network[0].as<nn::Blend>()->temperature;
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
