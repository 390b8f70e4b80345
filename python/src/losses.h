// Losses as Python gives them.
#pragma once

#include "core.h"
#include "pellucid/loss.h"

namespace pellucid::python {

/// A loss of pellucid.loss, its name, a Python function of (prediction, target) or with weights; None is no loss.
loss::Loss loss_of(nb::handle value);

/// How many positional arguments a function takes; 2 where that cannot be known.
int positional_count(nb::handle f);

}  // namespace pellucid::python
