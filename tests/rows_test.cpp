// Graphs over some of the rows: which bodies of loops keep rows apart, and what becomes of their shapes.
#include "graph/rows.h"

#include <gtest/gtest.h>

#include <functional>

#include "pellucid/ops.h"

namespace pellucid {
namespace {

using Function = std::function<Array(const Array& x, const Array& w)>;

/// f over x (12, 6) with rows, and w (6, 6) or (6) without, for 4 rows.
std::optional<graph::Graph> four_rows(const Function& f, const Shape& w_shape = {6, 6}) {
  const Arrays inputs = {ops::placeholder({12, 6}, float32), ops::placeholder(w_shape, float32)};
  graph::Graph graph = graph::build({f(inputs[0], inputs[1])}, inputs);
  graph::optimise(graph);
  std::optional<graph::Graph> some = graph::of_rows(graph, {true, false}, 4);
  if (some) {
    graph::dce(*some);
    graph::verify(*some, "rows");
  }
  return some;
}

TEST(Rows, AreCutWhereEachIsMadeOfItself) {
  const std::vector<std::pair<Function, Shape>> kept = {
      {[](const Array& x, const Array& w) { return matmul(x, w); }, {4, 6}},
      {[](const Array& x, const Array& w) { return 1.0 - tanh(x) * sum(w); }, {4, 6}},
      {[](const Array& x, const Array&) {
         return concat({x, exp(x)}, 1);
       },
       {4, 12}},
      {[](const Array& x, const Array&) { return slice(x, 1, 2, 5); }, {4, 3}},
      {[](const Array& x, const Array&) { return sum(x, Axes(1)); }, {4}},
      {[](const Array& x, const Array&) { return x - max(x, Axes(1), true); }, {4, 6}},
      {[](const Array& x, const Array&) {
         return permute(reshape(x, {12, 2, 3}), {0, 2, 1}) * 2.0;
       },
       {4, 3, 2}},
  };
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto some = four_rows(kept[i].first);
    ASSERT_TRUE(some) << i;
    EXPECT_EQ(some->value(some->outputs[0]).shape, kept[i].second) << i;
  }
  const auto added = four_rows([](const Array& x, const Array& w) { return x + w; }, {6});
  ASSERT_TRUE(added);
  EXPECT_EQ(added->value(added->outputs[0]).shape, Shape({4, 6}));
}

TEST(Rows, AreNotCutWhereTheyMeet) {
  const std::vector<Function> mixed = {
      [](const Array& x, const Array&) { return flip(x, Axes(0)); },
      [](const Array& x, const Array&) { return x - sum(x, Axes(0)); },
      [](const Array& x, const Array&) {
        return concat({x, x}, 0);
      },
      [](const Array& x, const Array&) { return slice(x, 0, 0, 12, 2); },
      [](const Array& x, const Array&) {
        return permute(x, {1, 0}) * 1.0;
      },
      [](const Array& x, const Array&) {
        return reshape(x, {6, 12}) + 1.0;
      },
      [](const Array& x, const Array& w) {
        return matmul(w, reshape(x, {6, 12}));
      },
      [](const Array& x, const Array&) {
        return matmul(x, permute(x, {1, 0}));
      },
      [](const Array& x, const Array&) { return cumsum(x, 0); },
      [](const Array&, const Array& w) { return exp(w); },  // no rows at all
  };
  for (std::size_t i = 0; i < mixed.size(); ++i) EXPECT_FALSE(four_rows(mixed[i])) << i;
  // Twelve rows that are all x's own.
  EXPECT_FALSE(four_rows([](const Array& x, const Array& w) { return x + w; }, {12, 6}));
}

}  // namespace
}  // namespace pellucid
