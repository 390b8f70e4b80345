// The state of an optimiser by names, for a training that goes on where another ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pellucid/train.h"

namespace pellucid::train {

/// The state in which an optimiser goes on from `given`; absent where that is empty, of another rule, or of other
/// parameters. What is not a matter of moments begins anew: averages at the parameters, the scale of OnPlateau at 1.
std::optional<Arrays> go_on_from(const OptimizerState& given, const optim::Optimizer& optimizer,
                                 const std::vector<std::string>& names, const Arrays& parameters);

/// `state` by its names.
OptimizerState name_state(const Arrays& state, const optim::Optimizer& optimizer,
                          const std::vector<std::string>& names);

}  // namespace pellucid::train
