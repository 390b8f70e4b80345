// A graph over fewer positions of the leading axis.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace pellucid::graph {

/// The same computation for `rows` positions of the leading axis, of which the inputs marked in `along` have all: the
/// results for some rows are made of the same rows of those inputs, and of the other inputs whole. Nothing where some
/// instruction mixes rows, or is not known not to, and where an output has no rows.
std::optional<Graph> of_rows(const Graph& graph, const std::vector<bool>& along, std::int64_t rows);

}  // namespace pellucid::graph
