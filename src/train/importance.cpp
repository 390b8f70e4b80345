// Permutation importance.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "base/philox.h"
#include "pellucid/assessment.h"

namespace pellucid {
namespace {

using Rows = std::vector<std::size_t>;

// Fisher and Yates, by one stream for each column and repeat.
Rows shuffled(std::size_t n, std::uint64_t seed, std::uint64_t stream) {
  Rows rows(n);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) {
    const std::uint32_t bits = base::philox(seed, stream, i)[0];
    std::swap(rows[i - 1], rows[static_cast<std::size_t>((std::uint64_t{bits} * i) >> 32)]);
  }
  return rows;
}

}  // namespace

std::vector<Importance> permutation_importance(const std::function<Array(const Array& x)>& predict, const Array& x,
                                               const std::vector<ColumnInputs>& columns,
                                               const std::function<std::vector<double>(const Array& output)>& measure,
                                               const ImportanceOptions& options) {
  const char* what = "permutation_importance";
  if (!x.defined() || x.dtype() != float32 || x.rank() != 2 || x.size(0) == 0) {
    base::fail("{}: x must be float32 (rows, inputs) with at least one row", what);
  }
  if (options.repeats < 1) base::fail("{}: {} repeats; there must be at least 1", what, options.repeats);
  const std::int64_t inputs = x.size(1);
  for (const ColumnInputs& column : columns) {
    if (column.first < 0 || column.count < 1 || column.first + column.count > inputs) {
      base::fail("{}: column '{}' has inputs {} to {}, and x has {}", what, column.column, column.first,
                 column.first + column.count - 1, inputs);
    }
  }
  const std::vector<double> whole = measure(predict(x));
  const std::vector<float> values = x.to_vector<float>();
  const auto n = static_cast<std::size_t>(x.size(0)), width = static_cast<std::size_t>(inputs);
  std::vector<Importance> result;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto first = static_cast<std::size_t>(columns[c].first), count = static_cast<std::size_t>(columns[c].count);
    std::vector<std::vector<double>> rises;
    std::vector<float> changed = values;
    for (int repeat = 0; repeat < options.repeats; ++repeat) {
      const Rows from = shuffled(n, options.seed, c * 1000 + static_cast<std::size_t>(repeat));
      for (std::size_t row = 0; row < n; ++row) {
        for (std::size_t i = first; i < first + count; ++i) changed[row * width + i] = values[from[row] * width + i];
      }
      rises.push_back(measure(predict(Array::from(changed, x.shape()))));
      for (std::size_t m = 0; m < whole.size(); ++m) rises.back()[m] -= whole[m];
    }
    Importance importance{.column = columns[c].column,
                          .rise = std::vector<double>(whole.size()),
                          .deviation = std::vector<double>(whole.size())};
    const auto repeats = static_cast<double>(options.repeats);
    for (std::size_t m = 0; m < whole.size(); ++m) {
      for (const auto& rise : rises) importance.rise[m] += rise[m] / repeats;
      for (const auto& rise : rises) {
        const double d = rise[m] - importance.rise[m];
        importance.deviation[m] += d * d / repeats;
      }
      importance.deviation[m] = std::sqrt(importance.deviation[m]);
    }
    result.push_back(std::move(importance));
    if (options.on_column) options.on_column(c + 1);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Importance& a, const Importance& b) { return a.rise[0] > b.rise[0]; });
  return result;
}

}  // namespace pellucid
