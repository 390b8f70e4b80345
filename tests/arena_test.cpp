// Buffers of a plan in one arena.
#include "graph/arena.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace pellucid::graph {
namespace {

std::size_t most_alive(const std::vector<Stay>& stays) {
  std::size_t most = 0;
  for (const Stay& at : stays) {
    std::size_t bytes = 0;
    for (const Stay& other : stays) bytes += other.first <= at.first && at.first <= other.last ? other.bytes : 0;
    most = std::max(most, bytes);
  }
  return most;
}

void expect_apart(const std::vector<Stay>& stays, std::size_t end) {
  for (std::size_t i = 0; i < stays.size(); ++i) {
    EXPECT_LE(stays[i].offset + stays[i].bytes, end);
    for (std::size_t j = 0; j < i; ++j) {
      const Stay &x = stays[i], &y = stays[j];
      const bool meet = x.first <= y.last && y.first <= x.last;
      EXPECT_TRUE(!meet || x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset);
    }
  }
}

TEST(Arena, Empty) {
  std::vector<Stay> none;
  EXPECT_EQ(pack(none), 0U);
}

TEST(Arena, WhatIsGoneLeavesRoom) {
  std::vector<Stay> stays{{100, 0, 1}, {50, 1, 2}, {100, 2, 3}};
  EXPECT_EQ(pack(stays), 150U);
  EXPECT_EQ(stays[2].offset, stays[0].offset);
}

TEST(Arena, SmallOnesDoNotBreakTheGapOfALargeOne) {
  // In the order in which they are made, the third lies where the first was, and the fourth behind all.
  std::vector<Stay> stays{{100, 0, 1}, {60, 1, 3}, {10, 2, 3}, {100, 3, 4}};
  const std::size_t end = pack(stays);
  expect_apart(stays, end);
  EXPECT_EQ(end, 170U);
}

RC_GTEST_PROP(Arena, WhatLivesAtOneTimeLiesApart, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 40);
  std::vector<Stay> stays;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = *rc::gen::inRange<std::int32_t>(0, 20);
    stays.push_back({*rc::gen::inRange<std::size_t>(1, 1000), first, first + *rc::gen::inRange<std::int32_t>(0, 10)});
  }
  std::stable_sort(stays.begin(), stays.end(), [](const Stay& x, const Stay& y) { return x.first < y.first; });
  std::size_t all = 0;
  for (const Stay& stay : stays) all += stay.bytes;
  const std::size_t end = pack(stays);
  expect_apart(stays, end);
  EXPECT_GE(end, most_alive(stays));
  EXPECT_LE(end, all);
}

TEST(Arena, MoreThanAreCompared) {
  std::vector<Stay> stays;
  for (std::int32_t i = 0; i < 5000; ++i) stays.push_back({64, i, i + 1});
  EXPECT_EQ(pack(stays), 128U);
}

}  // namespace
}  // namespace pellucid::graph
