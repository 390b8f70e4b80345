// More than the recipe: architectures and rates tried out, and as many ensembles as there is time for.
#pragma once

#include <functional>

#include "tables/ensemble.h"

namespace pellucid::tables {

/// What an ensemble is made for.
struct Problem {
  const data::Target& target;
  const Dataset& rows;  // all encoded rows
  std::vector<std::int64_t> numbers;
  std::int64_t outputs = 0;  // classes, or 1
  std::function<Folds(std::int64_t members, std::uint64_t seed)> folds;
  std::uint64_t seed = 0;
};

/// Tries `trials` recipes: architectures drawn around the given one (what the options set stays), each with up to four
/// learning rates, which are members of one batched graph. Successive halving (Jamieson, Talwalkar 2016): all are
/// trained for a quarter of the epochs, the better half for half of them, the better half of these in full; what counts
/// is the error on the rows that members leave out. Gives the best; `told` gets a line on each round.
Recipe tune(const Recipe& recipe, const TableOptions& options, const Problem& problem,
            const std::function<void(const std::string&)>& told);

/// Trains the ensemble in `network`, and others of its recipe with other seeds and folds, for `seconds`; the network is
/// then all of their members. Epochs become fewer where one ensemble alone would take longer, and twice as many, again
/// and again, where there is time and that lowers the error on left-out rows by 2 %. `held_out` gets what the members
/// of all say of the rows that they left out: (rows, outputs) in the order of rows.
FitResult fit_for(nn::Sequential& network, Recipe& recipe, const Problem& problem, FitOptions fitting, double seconds,
                  Array& held_out);

}  // namespace pellucid::tables
