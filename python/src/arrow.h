// Tables out of Arrow streams (https://arrow.apache.org/docs/format/CDataInterface.html), by which pandas, polars,
// DuckDB and others hand over their columns.
#pragma once

#include "core.h"
#include "pellucid/io.h"

namespace pellucid::python {

/// The stream of a capsule "arrow_array_stream" as a table; the stream is read to its end. Integers, floats, decimals
/// of no scale and null columns become numbers; texts, categories, booleans, dates and times become text. Null is
/// missing. Floats of 64 bits in one piece, with NaN where null if anywhere, stay the stream's memory; what else there
/// is is copied. Throws TypeError for another capsule and for columns of other types, ValueError where the stream
/// breaks off or two columns have one name.
io::Table table_of_stream(nb::handle capsule);

}  // namespace pellucid::python
