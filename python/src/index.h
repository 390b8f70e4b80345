// x[...]: positions, slices, None, Ellipsis, index arrays and masks.
#pragma once

#include "core.h"

namespace pellucid::python {

/// x[key] by the rules of the array API standard, and beyond them: one index array beside slices, or index arrays for
/// the leading axes. A mask is read at once, so it cannot be used where it has no value yet.
Array get_item(const Array& x, nb::handle key);

}  // namespace pellucid::python
