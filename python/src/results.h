// What fit is given and gives, as Python classes.
#pragma once

#include <string>

#include "core.h"
#include "pellucid/train.h"

namespace pellucid::python {

/// A name, a Metric, or a function.
Metric metric_of(nb::handle value);
Metric own_metric(std::string name, nb::handle f, bool larger_is_better);

void bind_results(nb::module_& m);

}  // namespace pellucid::python
