// Cases of weighted sums of cosines.
#include <cmath>

#include "support/laws.h"

namespace pellucid::laws {
namespace {

using List = std::vector<Tensor>;

struct Sizes {
  std::int64_t columns = 1, rows = 1, numbers = 1, waves = 1, outputs = 1;
};

std::vector<Expected> waves_reference(const Sizes& n, const List& x) {
  Expected e;
  e.y = {{n.numbers, n.outputs, n.rows}, x[0].dtype, {}};
  const Real unit = unit_of(x[0].dtype);
  const auto at = [](const Tensor& t, std::int64_t i) { return t.values[static_cast<std::size_t>(i)]; };
  for (std::int64_t i = 0; i < n.numbers; ++i) {
    for (std::int64_t o = 0; o < n.outputs; ++o) {
      for (std::int64_t r = 0; r < n.rows; ++r) {
        const Real bias = at(x[4], i * n.outputs + o);
        Real sum = bias, slack = std::fabs(bias);
        for (std::int64_t w = 0; w < n.waves; ++w) {
          const Real angle =
              at(x[0], i % n.columns * n.rows + r) * at(x[1], i * n.waves + w) + at(x[2], i * n.waves + w);
          const Real weight = at(x[3], (i * n.waves + w) * n.outputs + o);
          sum += weight * std::cos(angle);
          slack += std::fabs(weight) * (1 + std::fabs(angle));
        }
        e.y.values.push_back(sum);
        e.slack.push_back(static_cast<Real>(n.waves + 3) * slack * unit);
      }
    }
  }
  return {e};
}

void add(std::vector<Case>& list, const Sizes& n, const std::string& label, Layout covers = Layout::kContiguous,
         bool large = false) {
  Case c{"weighted_waves", label, {}, node_of("weighted_waves"), {}};
  c.operands = {{{n.columns, n.rows}},
                {{n.numbers, n.waves}},
                {{n.numbers, n.waves}},
                {{n.numbers, n.waves, n.outputs}},
                {{n.numbers, n.outputs}}};
  c.reference = [n](const List& x) { return waves_reference(n, x); };
  c.covers = covers;
  c.large = large;
  list.push_back(c);
}

}  // namespace

void add_waves_cases(std::vector<Case>& list) {
  add(list, {.columns = 3, .rows = 5, .numbers = 3, .waves = 4, .outputs = 3}, "a number for each column");
  add(list, {.columns = 2, .rows = 3, .numbers = 4, .waves = 2, .outputs = 5}, "columns read twice");
  add(list, {.columns = 2, .rows = 0, .numbers = 2, .waves = 3, .outputs = 2}, "no rows", Layout::kEmpty);
  add(list, {.columns = 2, .rows = 3, .numbers = 2, .waves = 0, .outputs = 2}, "no waves", Layout::kEmpty);
  add(list, {.columns = 7, .rows = 301, .numbers = 21, .waves = 64, .outputs = 4}, "many numbers", Layout::kContiguous,
      true);
  add(list, {.columns = 1, .rows = 5001, .numbers = 2, .waves = 9, .outputs = 1}, "many rows", Layout::kContiguous,
      true);
}

}  // namespace pellucid::laws
