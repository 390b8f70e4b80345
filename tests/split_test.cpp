// The laws of splits: disjoint, complete, stratified, and decided by the seed and the rows alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "pellucid/data.h"
#include "pellucid/threads.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::Rows;
using data::Split;
using Classes = std::vector<std::int32_t>;

// `rows` in two ascending parts that share nothing.
void expect_parts(const Split& split, const Rows& rows) {
  EXPECT_TRUE(std::is_sorted(split.training.begin(), split.training.end()));
  EXPECT_TRUE(std::is_sorted(split.held_out.begin(), split.held_out.end()));
  Rows all = split.training;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::sort(all.begin(), all.end());
  Rows expected = rows;
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(all, expected);
}

Classes some_classes(std::size_t rows) {
  Classes classes;
  for (std::size_t i = 0; i < rows; ++i) classes.push_back(i % 17 == 0 ? -1 : i % 10 == 0 ? 2 : i % 3 == 0 ? 1 : 0);
  return classes;
}

std::map<std::int32_t, double> counts(const Rows& rows, const Classes& classes) {
  std::map<std::int32_t, double> result;
  for (const std::int64_t row : rows) ++result[classes[static_cast<std::size_t>(row)]];
  return result;
}

TEST(Split, PartsAreDisjointCompleteAndOfTheirShare) {
  for (const std::int64_t size : {2, 3, 10, 101, 1000}) {
    const Rows rows = data::all_rows(size);
    for (const double fraction : {0.0, 0.001, 0.1, 0.2, 0.29, 0.5, 0.9, 0.999}) {
      const Split split = data::split(rows, fraction, 7);
      expect_parts(split, rows);
      const double wanted = std::floor(fraction * static_cast<double>(size) + 0.5);
      const double most = static_cast<double>(size - 1), least = fraction > 0 ? 1 : 0;
      EXPECT_EQ(static_cast<double>(split.held_out.size()), std::clamp(wanted, least, most))
          << size << ", " << fraction;
    }
  }
  EXPECT_TRUE(data::split(Rows{}, 0.2, 1).training.empty());
  EXPECT_EQ(data::split(Rows{5}, 0.9, 1).training, Rows{5});
}

TEST(Split, EachClassGivesItsShareToWithinOneRow) {
  const Rows rows = data::all_rows(1003);
  const Classes classes = some_classes(1003);
  for (const double fraction : {0.05, 0.2, 0.5, 0.77}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Split split = data::split(rows, fraction, seed, classes);
      expect_parts(split, rows);
      EXPECT_EQ(static_cast<double>(split.held_out.size()), std::floor(fraction * 1003 + 0.5));
      auto held_out = counts(split.held_out, classes);
      for (const auto& [number, count] : counts(rows, classes))
        EXPECT_LT(std::abs(held_out[number] - fraction * count), 1);
    }
  }
  // A class of one row stays in training.
  Classes lonely(20, 0);
  lonely[13] = 1;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Split split = data::split(data::all_rows(20), 0.5, seed, lonely);
    EXPECT_TRUE(std::binary_search(split.training.begin(), split.training.end(), 13));
  }
}

TEST(Split, TheSeedAndTheRowsDecideAlone) {
  const Rows rows = data::all_rows(500);
  const Classes classes = some_classes(500);
  const Split split = data::split(rows, 0.3, 42, classes);
  Rows reversed(rows.rbegin(), rows.rend());
  EXPECT_EQ(data::split(reversed, 0.3, 42, classes).held_out, split.held_out);
  for (const int count : {1, 2, 3, 7}) {
    set_threads(count);
    EXPECT_EQ(data::split(rows, 0.3, 42, classes).held_out, split.held_out);
  }
  EXPECT_NE(data::split(rows, 0.3, 43, classes).held_out, split.held_out);
  // More held out keeps those that were.
  const Rows more = data::split(rows, 0.5, 42).held_out, fewer = data::split(rows, 0.3, 42).held_out;
  EXPECT_TRUE(std::includes(more.begin(), more.end(), fewer.begin(), fewer.end()));
  // As a program of its own gives: the five lowest keys by Philox.
  EXPECT_EQ(data::split(data::all_rows(20), 0.25, 0).held_out, (Rows{2, 3, 5, 16, 17}));
}

TEST(Split, EveryRowIsHeldOutAboutEquallyOften) {
  constexpr int kSeeds = 4000, kRows = 50;
  std::vector<int> held_out(kRows);
  for (int seed = 0; seed < kSeeds; ++seed) {
    for (const std::int64_t row : data::split(data::all_rows(kRows), 0.2, static_cast<std::uint64_t>(seed)).held_out) {
      ++held_out[static_cast<std::size_t>(row)];
    }
  }
  const double deviation = std::sqrt(kSeeds * 0.2 * 0.8);
  for (const int count : held_out) EXPECT_NEAR(count, kSeeds * 0.2, 4.5 * deviation);
}

TEST(Folds, HoldOutEachRowOnce) {
  const Rows rows = data::all_rows(103);
  const Classes classes = some_classes(103);
  for (const int count : {2, 5, 10, 103}) {
    const std::vector<Split> folds = data::folds(rows, count, 3, classes);
    ASSERT_EQ(folds.size(), static_cast<std::size_t>(count));
    Rows held_out;
    for (const Split& fold : folds) {
      expect_parts(fold, rows);
      EXPECT_LE(std::abs(static_cast<double>(fold.held_out.size()) - 103.0 / count), 1);
      held_out.insert(held_out.end(), fold.held_out.begin(), fold.held_out.end());
      auto part = counts(fold.held_out, classes);
      for (const auto& [number, all] : counts(rows, classes)) EXPECT_LE(std::abs(part[number] - all / count), 1);
    }
    std::sort(held_out.begin(), held_out.end());
    EXPECT_EQ(held_out, rows);
  }
  EXPECT_EQ(data::folds(rows, 5, 3)[0].held_out, data::folds(rows, 5, 3)[0].held_out);
  EXPECT_NE(data::folds(rows, 5, 3)[0].held_out, data::folds(rows, 5, 4)[0].held_out);
}

TEST(Split, SaysWhatIsWrong) {
  const Rows rows = data::all_rows(10);
  for (const auto& [fraction, text] : {std::pair{1.0, "1"}, {-0.1, "-0.1"}, {std::nan(""), "nan"}}) {
    EXPECT_EQ(message_of([&, f = fraction] { data::split(rows, f, 0); }),
              "split: the share " + std::string(text) + " to hold out is not in [0, 1); 0.2 is usual");
  }
  for (const int count : {1, 11}) {
    EXPECT_EQ(message_of([&] { data::folds(rows, count, 0); }),
              "folds: " + std::to_string(count) + " folds of 10 rows; take from 2 to as many as there are rows");
  }
  const std::string expected = ": row 9 has no class among 9; give each row of the table one, -1 where it has none";
  EXPECT_EQ(message_of([&] { data::split(rows, 0.5, 0, Classes(9)); }), "split" + expected);
  EXPECT_EQ(message_of([&] { data::folds(rows, 2, 0, Classes(9)); }), "folds" + expected);
}

}  // namespace
}  // namespace pellucid
