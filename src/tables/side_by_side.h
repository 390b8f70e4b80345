// Members of an ensemble as one training: what they are, their batches, their loss and their optimiser.
#pragma once

#include <memory>
#include <vector>

#include "pellucid/nn_table.h"
#include "pellucid/tabular.h"
#include "tables/recipe.h"

namespace pellucid::tables {

/// An ensemble as fit sees it: an example is a row of positions, one for each member; (n, members) -> (n, members,
/// outputs).
struct SideBySide : nn::Module {
  /// `rates` (members), where defined: what each member's learning rate is multiplied by. Parameters are kept divided
  /// by it, and a rule like Adam's moves them by steps whose size does not depend on that.
  explicit SideBySide(nn::Ensemble ensemble, const Array& rows, const Array& rates = {});
  Array operator()(const Array& positions) const;
  PELLUCID_MEMBERS(members)
  nn::Ensemble members;
  std::shared_ptr<const Array> x, rates;
};

/// One column of positions for each member; shorter lists begin again.
Array side_by_side(const std::vector<data::Rows>& lists);
/// The same lists, each in a random order of its own.
std::vector<data::Rows> shuffled(std::vector<data::Rows> lists, std::uint64_t seed);
/// The mean loss of all members' outputs (n, members, outputs) at positions (n, members).
loss::Loss loss_of_members(const loss::Loss& loss, const Dataset& rows);
/// The recipe's, over so many steps: scales learn faster, biases and embeddings slower, and none of these decays.
optim::Optimizer optimizer_for(const Recipe& recipe, std::int64_t steps);

}  // namespace pellucid::tables
