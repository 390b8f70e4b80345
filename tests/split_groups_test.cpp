// Splits by groups and by time: groups stay whole, the newest rows are held out, and rows are never lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "pellucid/data.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::Rows;
using data::Split;
using Groups = std::vector<std::int32_t>;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Rows joined(const Split& split) {
  Rows all = split.training;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::sort(all.begin(), all.end());
  return all;
}

// Groups of 1 to 7 rows, and some rows of their own.
Groups some_groups(int rows) {
  Groups groups;
  for (int i = 0, group = 0, left = 1; i < rows; ++i) {
    if (i % 11 == 3) {
      groups.push_back(-1);
      continue;
    }
    groups.push_back(group);
    if (--left == 0) left = 1 + ++group % 7;
  }
  return groups;
}

void expect_whole(const Split& split, const Groups& groups) {
  std::set<std::int32_t> training;
  for (const std::int64_t row : split.training) training.insert(groups[static_cast<std::size_t>(row)]);
  for (const std::int64_t row : split.held_out) {
    const std::int32_t group = groups[static_cast<std::size_t>(row)];
    EXPECT_TRUE(group < 0 || !training.contains(group)) << row;
  }
}

TEST(Groups, StayWholeAndGiveTheirShare) {
  const Groups groups = some_groups(400);
  const Rows rows = data::all_rows(400);
  for (const double fraction : {0.0, 0.05, 0.2, 0.5, 0.9}) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const Split split = data::split_groups(rows, fraction, seed, groups);
      EXPECT_EQ(joined(split), rows);
      expect_whole(split, groups);
      EXPECT_NEAR(static_cast<double>(split.held_out.size()), fraction * 400, 3.5);
    }
  }
  EXPECT_NE(data::split_groups(rows, 0.2, 1, groups).held_out, data::split_groups(rows, 0.2, 2, groups).held_out);
  const Rows backwards(rows.rbegin(), rows.rend());
  EXPECT_EQ(data::split_groups(backwards, 0.2, 1, groups).held_out, data::split_groups(rows, 0.2, 1, groups).held_out);
}

TEST(Groups, OneIsHeldOutAndOneIsLearnedFromWhateverTheirSizes) {
  Groups groups(100, 0);
  groups[17] = 1;
  for (const double fraction : {0.001, 0.3, 0.999}) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const Split split = data::split_groups(data::all_rows(100), fraction, seed, groups);
      EXPECT_FALSE(split.held_out.empty()) << fraction;
      EXPECT_FALSE(split.training.empty()) << fraction;
      expect_whole(split, groups);
    }
  }
}

TEST(Groups, FoldsHoldOutEachOnce) {
  const Groups groups = some_groups(300);
  const Rows rows = data::all_rows(300);
  const std::vector<Split> folds = data::fold_groups(rows, 5, 3, groups);
  Rows held_out;
  for (const Split& fold : folds) {
    EXPECT_EQ(joined(fold), rows);
    expect_whole(fold, groups);
    EXPECT_NEAR(static_cast<double>(fold.held_out.size()), 60, 4);
    held_out.insert(held_out.end(), fold.held_out.begin(), fold.held_out.end());
  }
  std::sort(held_out.begin(), held_out.end());
  EXPECT_EQ(held_out, rows);
}

TEST(Groups, SayWhatIsWrong) {
  const Rows rows = data::all_rows(4);
  EXPECT_EQ(message_of([&] { data::split_groups(rows, 0.5, 0, Groups(4, 2)); }),
            "split_groups: all 4 rows are of one group, and none can be held out; group them by another column");
  EXPECT_EQ(message_of([&] { data::split_groups(rows, 1, 0, Groups(4)); }),
            "split_groups: the share 1 to hold out is not in [0, 1); 0.2 is usual");
  EXPECT_EQ(message_of([&] { data::split_groups(rows, 0.5, 0, Groups(3)); }),
            "split_groups: row 3 has no group among 3; give each row of the table one, -1 where it has none");
  EXPECT_EQ(message_of([&] {
              data::fold_groups(rows, 3, 0, Groups{0, 0, 1, 1});
            }),
            "fold_groups: 3 folds of 2 groups; take from 2 to as many as there are groups");
}

TEST(Time, TheNewestRowsAreHeldOut) {
  const std::vector<double> times = {5, 3, kNone, 9, 1, 7, 7, 2, 8, 4};
  const Rows rows = data::all_rows(10);
  EXPECT_EQ(data::split_newest(rows, 0.2, times).held_out, (Rows{3, 8}));
  EXPECT_EQ(data::split_newest(rows, 0.3, times).held_out, (Rows{3, 8})) << "7 is there twice, and stays together";
  EXPECT_EQ(data::split_newest(rows, 0.4, times).held_out, (Rows{3, 5, 6, 8}));
  EXPECT_EQ(data::split_newest(rows, 0.9, times).training, Rows{2});
  EXPECT_TRUE(data::split_newest(rows, 0, times).held_out.empty());
  EXPECT_EQ(data::split_newest(rows, 0.01, times).held_out, Rows{3});
  EXPECT_EQ(data::split_newest(rows, 0.2, std::vector<double>{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}).held_out,
            (Rows{5, 6, 7, 8, 9}))
      << "more than asked for, since the newest time has so many";
  EXPECT_EQ(message_of([&] { data::split_newest(rows, 0.2, std::vector<double>(10, 4)); }),
            "split_newest: the times of 10 rows do not tell old from new; take another column");
  EXPECT_EQ(message_of([&] { data::split_newest(rows, 0.2, std::vector<double>(9)); }),
            "split_newest: row 9 has no time among 9; give each row of the table one, NaN where it has none");
  EXPECT_EQ(message_of([&] { data::split_newest(rows, -1, times); }),
            "split_newest: the share -1 to hold out is not in [0, 1); 0.2 is usual");
}

TEST(Time, IsReadFromNumbersDatesAndClocks) {
  const io::Table table = io::parse_csv(
      "year,day,us,clock,odd\n1999,2024-02-29,12/31/2023,13:30,2024-01-01\n2001,1970-01-02T12:00,1/2/2024,7:15 "
      "AM,soon\n,,,,\n");
  const auto times = [&](const char* column) {
    std::vector<double> values = data::times_of(table, column);
    EXPECT_TRUE(std::isnan(values.back()));
    values.pop_back();
    return values;
  };
  EXPECT_EQ(times("year"), (std::vector<double>{1999, 2001}));
  EXPECT_EQ(times("day"), (std::vector<double>{19782, 1.5}));
  EXPECT_EQ(times("us"), (std::vector<double>{19722, 19724}));
  EXPECT_EQ(times("clock"), (std::vector<double>{13.5, 7.25}));
  EXPECT_EQ(
      message_of([&] { data::times_of(table, "odd"); }),
      "times_of: 'soon' in column 'odd', row 2, is no date or time as 2024-02-29, 29.2.2024 or 2/29/2024; correct "
      "it, or leave the field empty");
  EXPECT_EQ(data::groups_of(table, "odd"), (Groups{0, 1, -1}));
  EXPECT_EQ(data::groups_of(table, "year"), (Groups{0, 1, -1}));
}

}  // namespace
}  // namespace pellucid
