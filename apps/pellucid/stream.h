// Tables of any size through a model: read, brought into the network's terms, predicted and written piece by piece.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "model.h"

namespace pellucid::cli {

struct Streamed {
  std::int64_t rows = 0;        // that were predicted
  std::int64_t unlabelled = 0;  // rows left out, since they have no target
  Array y;                      // as Examples has it; undefined where targets were not asked for
};

/// Predicts the rows of a table in their order, and calls `sink` with the network's inputs and outputs (as
/// predictions() gives them) of some thousand rows at a time. Memory does not grow with the table, but for y. With
/// `targets`, rows without one are left out. Warns as read_examples does. Throws Error where the file does not fit.
Streamed stream_predictions(Model& model, const std::string& path, bool targets,
                            const std::function<void(const Array& input, const Array& output)>& sink);

/// The same, written as CSV by `write`.
void stream_csv(Model& model, const std::string& path, const std::function<void(std::string_view text)>& write);

}  // namespace pellucid::cli
