// The recipe of tables: an ensemble whose members each leave out a fold of the rows, trained as one batched graph.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pellucid/nn_table.h"
#include "pellucid/tabular.h"
#include "tables/recipe.h"

namespace pellucid::tables {

/// Which rows each member learns from, and which it is held to. Positions in the encoded rows.
struct Folds {
  std::vector<data::Rows> training, held_out;
  /// All members are held to the same rows, by the mean of what they say; else each row is held out from one.
  bool common = false;
};

/// Folds of `rows` rows, one for each member; `classes` as data::folds takes them.
Folds make_folds(std::int64_t rows, std::int64_t members, std::uint64_t seed, std::span<const std::int32_t> classes);
/// Every member learns from the first `training` rows and is held to the `held_out` rows behind them.
Folds common_folds(std::int64_t training, std::int64_t held_out, std::int64_t members);

/// Which inputs the recipe embeds: numbers, and categories of more than 9 levels.
EmbeddedInputs embedded_inputs(const data::Preprocessing& preprocessing);

/// The network of the recipe: an Ensemble of members, and for numbers Intervals around what it says.
nn::Sequential make_ensemble(const Recipe& recipe, data::Task task, std::int64_t inputs, const EmbeddedInputs& embedded,
                             std::int64_t outputs, std::uint64_t seed);

/// Trains the ensemble in `network`, with the epoch that does best on the held-out rows. `rows` are all encoded rows;
/// `fitting` has the callbacks, the checkpoint and the seed. Where rows are held out, metrics[0] is the accuracy, or
/// the root mean squared error in units of the target, of held-out predictions.
FitResult fit_ensemble(nn::Sequential& network, const Recipe& recipe, const data::Target& target, const Dataset& rows,
                       const Folds& folds, FitOptions fitting);

/// What members say of the rows that they were held to: (rows, outputs), in the order of `rows_of(folds)`. For classes
/// scores, of which temperature makes probabilities.
Array held_out_outputs(const nn::Ensemble& ensemble, const Array& x, const Folds& folds);
/// The positions of the rows that are held out.
data::Rows held_out_rows(const Folds& folds);

/// Fits the temperature of an ensemble, or the margin of its intervals, to held-out outputs. Gives it. The intervals
/// then hold `level` of the held-out rows (conformalised quantiles: Romano, Patterson, Candes 2019), as the outputs
/// stand: where each is of one member, the margin is that of one, and nn::Intervals draws the mean's bounds in.
double calibrate_ensemble(nn::Sequential& network, data::Task task, const Array& outputs, const Array& y,
                          double level = 0.9);

}  // namespace pellucid::tables
