// Optimisers as Python gives them, and the parameters in a tree.
#pragma once

#include <string>
#include <vector>

#include "core.h"
#include "pellucid/optim.h"

namespace pellucid::python {

/// An Optimizer, a rule with its defaults around it, or a rule's name.
optim::Optimizer optimizer_of(nb::handle value);

/// What is learned in a tree: floating arrays; of modules the trainable parameters. Names are joined by dots.
struct Learned {
  std::vector<std::string> names;
  Arrays values;
  Arrays gradients;  // undefined where there is none
};
/// `gradients`: a tree as value_and_grad gives it; invalid for none.
Learned learned_of(nb::handle tree, nb::handle gradients = {});
/// The tree with other values in their places; modules get them and stand as they are.
nb::object with_learned(nb::handle tree, const Arrays& values);

}  // namespace pellucid::python
