// Memory that is shared with others: buffers, NumPy, DLPack.
#pragma once

#include "core.h"

namespace pellucid::python {

/// An array of what offers the buffer protocol; types that the engine lacks become the next wider one. `share`: its
/// memory is used where its layout allows, and kept alive. With `must_share`, throws ValueError where it would be
/// copied.
Array from_buffer(nb::object source, bool share, bool must_share = false);
/// The same by DLPack, from the processor's memory.
Array from_dlpack(nb::object source, bool share, bool must_share = false);

}  // namespace pellucid::python
