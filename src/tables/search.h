// More than the recipe: architectures and rates tried out, and as many ensembles as there is time for.
#pragma once

#include <functional>

#include "tables/ensemble.h"

namespace pellucid::tables {

/// What an ensemble is made for.
struct Problem {
  const data::Target& target;
  const Dataset& rows;  // all encoded rows
  EmbeddedInputs embedded;
  std::int64_t outputs = 0;  // classes, or 1
  std::function<Folds(std::int64_t members, std::uint64_t seed)> folds;
  std::uint64_t seed = 0;
  std::optional<Recipe> second = {};  // of an ensemble beside the first
};

/// Recipes around the given one, which is the first: what the options set stays, the rest is drawn.
std::vector<Recipe> draw_architectures(const Recipe& recipe, const TableOptions& options, const Problem& problem,
                                       std::size_t count);

/// Tries `options.tune` recipes: architectures drawn around the given one, each with up to four learning rates, which
/// are members of one batched graph. Successive halving (Jamieson, Talwalkar 2016): all are trained for a quarter of
/// the epochs, the better half for half of them; what counts is the error on rows that members leave out. Gives the
/// better half of those, best first, without the given one; `told` gets a line on each round.
std::vector<Recipe> tune(const Recipe& recipe, const TableOptions& options, const Problem& problem,
                         const std::function<void(const std::string&)>& told);
/// "hidden 64,64, learning rate 0.02".
std::string words(const Recipe& recipe);

/// One ensemble that was trained, and what its members say of the rows that they left out.
struct Candidate {
  Recipe recipe;
  nn::Sequential network;      // the Ensemble alone; its scores are calibrated
  Array said;                  // (rows, outputs) in the order of rows: probabilities, or standardised values
  std::vector<double> errors;  // of each row: squared, times its weight
  double error = 0;            // their mean
  OptimizerState state;        // of the optimiser at the end
};
/// What ensembles of one recipe came to: they differ by chance alone, so that none is chosen before another.
struct OfRecipe {
  std::vector<std::size_t> candidates;
  std::vector<double> errors;  // of each row, the mean of theirs
  double error = 0;
};
/// Candidates by their recipes, in the order in which these occur first.
std::vector<OfRecipe> by_recipe(const std::vector<Candidate>& candidates);
/// Candidates to be blended: those of recipes that are not worse than the first's by more than the noise of the rows is
/// (one standard error of the mean of the differences). Where the first itself is worse than the best by more than two,
/// the best stands in its place.
std::vector<std::size_t> choose(const std::vector<Candidate>& candidates);
/// The network that says the mean of what the chosen ones say: a Blend, with Intervals behind it for numbers. Ensembles
/// of one shape are joined to one.
nn::Sequential blend(const std::vector<Candidate>& candidates, const std::vector<std::size_t>& chosen,
                     const Problem& problem);

/// Trains the ensemble in `network` and that of `problem.second`; with `options.tune` also those that halving finds
/// best; with `options.time` as many more, for so many seconds: in turn one of the others and the best recipe once
/// more, by other seeds and folds. The network is then the blend of those chosen, and `held_out` what they say of
/// left-out rows, (rows, outputs) in the order of rows; where the first alone is chosen, the network is that ensemble
/// and `held_out` stays as it is. `record` gets a line on each candidate; options.optimizer_states a state for each
/// part of the network, where neither `tune` nor `time` is given.
FitResult search(nn::Sequential& network, Recipe& recipe, const TableOptions& options, const Problem& problem,
                 FitOptions fitting, Array& held_out, nlohmann::json& record);

}  // namespace pellucid::tables
