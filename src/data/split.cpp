// Splitting rows into parts. Each row has a random number of its own, keyed by the seed; a part takes the lowest ones.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/fail.h"
#include "base/philox.h"
#include "data/column_kind.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

constexpr std::uint64_t kStream = 0x73706c6974;  // "split": apart from the streams of weights and batches

std::uint64_t key_of(std::uint64_t seed, std::int64_t row) {
  const base::PhiloxCounter words = base::philox(seed, kStream, static_cast<std::uint64_t>(row));
  return words[0] | static_cast<std::uint64_t>(words[1]) << 32U;
}

// The rows of each class in their random order. Without classes all rows are of one.
std::vector<Rows> shuffled_groups(std::string_view what, std::span<const std::int64_t> rows, std::uint64_t seed,
                                  std::span<const std::int32_t> classes) {
  std::map<std::int32_t, std::vector<std::pair<std::uint64_t, std::int64_t>>> groups;
  for (const std::int64_t row : rows) {
    if (!classes.empty() && (row < 0 || static_cast<std::size_t>(row) >= classes.size())) {
      base::fail("{}: row {} has no class among {}; give each row of the table one, -1 where it has none", what, row,
                 classes.size());
    }
    groups[classes.empty() ? 0 : classes[static_cast<std::size_t>(row)]].emplace_back(key_of(seed, row), row);
  }
  std::vector<Rows> result;
  for (auto& [number, keyed] : groups) {
    std::sort(keyed.begin(), keyed.end());
    Rows& group = result.emplace_back();
    for (const auto& [key, row] : keyed) group.push_back(row);
  }
  return result;
}

void check_fraction(std::string_view what, double fraction) {
  if (!(fraction >= 0 && fraction < 1)) {
    base::fail("{}: the share {} to hold out is not in [0, 1); 0.2 is usual", what, fraction);
  }
}

void sort_parts(Split& split) {
  std::sort(split.held_out.begin(), split.held_out.end());
  std::sort(split.training.begin(), split.training.end());
}

// Whole groups in a random order: each with the random number of its first row.
std::vector<Rows> whole_groups(std::string_view what, std::span<const std::int64_t> rows, std::uint64_t seed,
                               std::span<const std::int32_t> groups) {
  std::map<std::int64_t, Rows> members;  // a row of its own group stands under -1 - row
  for (const std::int64_t row : rows) {
    if (row < 0 || static_cast<std::size_t>(row) >= groups.size()) {
      base::fail("{}: row {} has no group among {}; give each row of the table one, -1 where it has none", what, row,
                 groups.size());
    }
    const std::int32_t group = groups[static_cast<std::size_t>(row)];
    members[group < 0 ? -1 - row : group].push_back(row);
  }
  std::vector<std::pair<std::uint64_t, Rows>> keyed;
  for (auto& [group, own] : members) {
    keyed.emplace_back(key_of(seed, *std::min_element(own.begin(), own.end())), std::move(own));
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<Rows> result;
  for (auto& [key, own] : keyed) result.push_back(std::move(own));
  return result;
}

}  // namespace

Split split_groups(std::span<const std::int64_t> rows, double fraction, std::uint64_t seed,
                   std::span<const std::int32_t> groups) {
  check_fraction("split_groups", fraction);
  std::vector<Rows> whole = whole_groups("split_groups", rows, seed, groups);
  if (fraction > 0 && whole.size() < 2) {
    base::fail("split_groups: all {} rows are of one group, and none can be held out; group them by another column",
               rows.size());
  }
  const double wanted = fraction * static_cast<double>(rows.size());
  Split result;
  std::size_t held_groups = 0;
  for (std::size_t g = 0; g < whole.size(); ++g) {
    const auto held = static_cast<double>(result.held_out.size());
    const bool nearer = std::abs(held + static_cast<double>(whole[g].size()) - wanted) < std::abs(held - wanted);
    const bool needed = fraction > 0 && held_groups == 0 && g + 1 == whole.size();
    const bool possible = held_groups + 1 < whole.size();  // a group stays in training
    Rows& part = (nearer || needed) && possible ? result.held_out : result.training;
    if (&part == &result.held_out) ++held_groups;
    part.insert(part.end(), whole[g].begin(), whole[g].end());
  }
  sort_parts(result);
  return result;
}

std::vector<Split> fold_groups(std::span<const std::int64_t> rows, int count, std::uint64_t seed,
                               std::span<const std::int32_t> groups) {
  const std::vector<Rows> whole = whole_groups("fold_groups", rows, seed, groups);
  if (count < 2 || static_cast<std::size_t>(count) > whole.size()) {
    base::fail("fold_groups: {} folds of {} groups; take from 2 to as many as there are groups", count, whole.size());
  }
  std::vector<std::size_t> order(whole.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return whole[a].size() != whole[b].size() ? whole[a].size() > whole[b].size() : a < b;
  });
  std::vector<Split> result(static_cast<std::size_t>(count));
  for (const std::size_t g : order) {
    const Rows& group = whole[g];
    const auto smallest = std::min_element(result.begin(), result.end(), [](const Split& a, const Split& b) {
      return a.held_out.size() < b.held_out.size();
    });
    for (Split& fold : result) {
      Rows& part = &fold == &*smallest ? fold.held_out : fold.training;
      part.insert(part.end(), group.begin(), group.end());
    }
  }
  for (Split& fold : result) sort_parts(fold);
  return result;
}

Split split_newest(std::span<const std::int64_t> rows, double fraction, std::span<const double> times) {
  check_fraction("split_newest", fraction);
  std::vector<std::pair<double, std::int64_t>> order;
  for (const std::int64_t row : rows) {
    if (row < 0 || static_cast<std::size_t>(row) >= times.size()) {
      base::fail("split_newest: row {} has no time among {}; give each row of the table one, NaN where it has none",
                 row, times.size());
    }
    const double time = times[static_cast<std::size_t>(row)];
    order.emplace_back(std::isnan(time) ? -std::numeric_limits<double>::infinity() : time, row);
  }
  std::sort(order.begin(), order.end());
  auto wanted = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(rows.size()) + 0.5));
  if (fraction > 0) wanted = std::clamp<std::size_t>(wanted, 1, rows.size());
  std::size_t first = order.size() - wanted;
  const auto tied = [&](std::size_t i) { return i > 0 && i < order.size() && order[i].first == order[i - 1].first; };
  while (tied(first)) ++first;
  if (wanted > 0 && (first == order.size() || first == 0)) {  // the newest time has more rows than are wanted
    first = order.size() - wanted;
    while (first > 0 && tied(first)) --first;
    if (first == 0) {
      base::fail("split_newest: the times of {} rows do not tell old from new; take another column", rows.size());
    }
  }
  Split result;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (i < first ? result.training : result.held_out).push_back(order[i].second);
  }
  sort_parts(result);
  return result;
}

Split split(std::span<const std::int64_t> rows, double fraction, std::uint64_t seed,
            std::span<const std::int32_t> classes) {
  check_fraction("split", fraction);
  const std::vector<Rows> groups = shuffled_groups("split", rows, seed, classes);
  // Whole shares first; the rows that are then missing go to the classes with the largest remainders.
  std::vector<std::size_t> take(groups.size());
  std::vector<std::pair<double, std::size_t>> remainders;
  std::size_t taken = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double share = fraction * static_cast<double>(groups[g].size());
    take[g] = std::min(static_cast<std::size_t>(share), groups[g].size() - 1);
    taken += take[g];
    if (take[g] + 1 < groups[g].size()) remainders.emplace_back(static_cast<double>(take[g]) - share, g);
  }
  std::sort(remainders.begin(), remainders.end());
  auto wanted = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(rows.size()) + 0.5));
  if (fraction > 0) wanted = std::max<std::size_t>(wanted, 1);
  for (const auto& [remainder, g] : remainders) {
    if (taken >= wanted) break;
    ++take[g];
    ++taken;
  }
  Split result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto middle = groups[g].begin() + static_cast<std::ptrdiff_t>(take[g]);
    result.held_out.insert(result.held_out.end(), groups[g].begin(), middle);
    result.training.insert(result.training.end(), middle, groups[g].end());
  }
  sort_parts(result);
  return result;
}

std::vector<Split> folds(std::span<const std::int64_t> rows, int count, std::uint64_t seed,
                         std::span<const std::int32_t> classes) {
  if (count < 2 || static_cast<std::size_t>(count) > rows.size()) {
    base::fail("folds: {} folds of {} rows; take from 2 to as many as there are rows", count, rows.size());
  }
  std::vector<Split> result(static_cast<std::size_t>(count));
  std::size_t next = 0;
  for (const Rows& group : shuffled_groups("folds", rows, seed, classes)) {
    for (const std::int64_t row : group) {
      for (std::size_t f = 0; f < result.size(); ++f)
        (f == next ? result[f].held_out : result[f].training).push_back(row);
      next = (next + 1) % result.size();
    }
  }
  for (Split& fold : result) sort_parts(fold);
  return result;
}

std::vector<std::int32_t> groups_of(const Table& table, const std::string& name) {
  const Column& column = table.at(name);
  return column.text ? column.codes : text_of(column).codes;
}

std::vector<double> times_of(const Table& table, const std::string& name) {
  const Column& column = table.at(name);
  if (!column.text) return column.numbers.to_vector();
  std::vector<std::size_t> all(column.levels.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  // The format that fits most; the row that it does not fit is then the one that is wrong.
  DateFormat best = DateFormat::kIso;
  std::size_t most = 0;
  for (const auto& [format, text] : kDateFormats) {
    const auto fits = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&, as = format](std::size_t i) {
      return parse_date(column.levels[i], as).has_value();
    }));
    if (fits > most) {
      best = format;
      most = fits;
    }
  }
  if (const auto format = date_format_of(column, all); format && !all.empty()) best = *format;
  std::vector<double> times;
  for (std::int64_t row = 0; row < column.size(); ++row) {
    if (column.missing(row)) {
      times.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const std::string text = column.field(row);
    const auto date = parse_date(text, best);
    if (!date) {
      base::fail(
          "times_of: '{}' in column '{}', row {}, is no date or time as 2024-02-29, 29.2.2024 or 2/29/2024; "
          "correct it, or leave the field empty",
          io::shown(text), io::shown(name), row + 1);
    }
    times.push_back(best == DateFormat::kTime ? (*date)[3] : (*date)[0]);
  }
  return times;
}

}  // namespace pellucid::data
