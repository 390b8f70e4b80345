// Holds layers and losses for sequences to the cases of a file of reference/: values, gradients and Hessian
// products.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "pellucid/array.h"

namespace pellucid::reference {

using Json = nlohmann::json;
using Named = std::map<std::string, Array>;

/// (kind, options, inputs) -> outputs; none for a kind that is not the caller's.
using Call = std::function<Named(const std::string& kind, const Json& options, const Named& inputs)>;

/// Runs every case of reference/`file` that `call` gives outputs for, and expects PyTorch's numbers to 1e-10 of the
/// largest. Returns their number.
int check(const Call& call, const std::string& file = "sequence.json");

}  // namespace pellucid::reference
