// See optimizer_state.h.
#include "train/optimizer_state.h"

#include <algorithm>

namespace pellucid::train {

std::optional<Arrays> go_on_from(const OptimizerState& given, const optim::Optimizer& optimizer,
                                 const std::vector<std::string>& names, const Arrays& parameters) {
  if (given.empty()) return {};
  const std::vector<std::string> wanted = optimizer.state_names(names);
  Arrays state = optimizer.init(parameters);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = wanted[i];
    if (name == "scale" || name.starts_with("average.")) continue;
    const auto found =
        std::find_if(given.begin(), given.end(), [&](const nn::NamedArray& one) { return one.name == name; });
    const bool counter = name == "step" || name == "pending";
    if (found == given.end() && counter) continue;  // the rule did not need it, and what it needs starts at 0
    if (found == given.end() || found->value.shape() != state[i].shape() || found->value.dtype() != state[i].dtype()) {
      return {};
    }
    state[i] = found->value;
  }
  return state;
}

OptimizerState name_state(const Arrays& state, const optim::Optimizer& optimizer,
                          const std::vector<std::string>& names) {
  const std::vector<std::string> called = optimizer.state_names(names);
  OptimizerState named;
  for (std::size_t i = 0; i < state.size(); ++i) named.push_back({called[i], state[i], false});
  return named;
}

}  // namespace pellucid::train
