// Which column of a table is to be predicted, and whether as classes or as a number, where nobody says.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/fail.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

using base::fail;

// Names that say so, wherever the column stands.
constexpr std::array<std::string_view, 12> kTargets = {"target",       "label",     "class",   "labels",
                                                       "classes",      "y",         "outcome", "response",
                                                       "ground_truth", "dependent", "y_true",  "target_variable"};
// What tables are often made to predict, the likelier first; some of these say little but at a table's ends.
constexpr std::array<std::string_view, 12> kOutcomes = {"churn",     "churned",   "survived", "default",
                                                        "defaulted", "diagnosis", "fraud",    "attrition",
                                                        "species",   "price",     "income",   "salary"};
constexpr std::array<std::string_view, 9> kEvents = {"churn",     "churned", "survived",  "default", "defaulted",
                                                     "diagnosis", "fraud",   "attrition", "species"};
// The last word of a name; "class" is none of these: a sub_class or pclass is a feature.
constexpr std::array<std::string_view, 4> kParts = {"target", "label", "outcome", "response"};
constexpr std::array<std::string_view, 16> kAtEnds = {"status",  "price",    "income",   "salary",  "quality", "rating",
                                                      "score",   "result",   "sales",    "revenue", "demand",  "value",
                                                      "success", "approved", "category", "grade"};

// The words of a name in lower case: "SalePrice" and "Sale_Price" are "sale_price".
std::string words_of(std::string_view name) {
  std::string words;
  bool small = false;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    if (c == ' ' || c == '-' || c == '.' || c == '_') {
      if (!words.empty() && words.back() != '_') words += '_';
      small = false;
      continue;
    }
    if (std::isupper(letter) != 0 && small) words += '_';
    small = std::islower(letter) != 0 || std::isdigit(letter) != 0;
    words += static_cast<char>(std::tolower(letter));
  }
  while (words.ends_with('_')) words.pop_back();
  return words;
}

// Text that differs in every row names the row, and what is the same in all rows tells nothing.
bool can_be_learned(const Column& column) {
  if (column.text) {
    std::unordered_set<std::int32_t> seen;
    std::int64_t count = 0;
    for (const std::int32_t code : column.codes) {
      if (code >= 0) ++count, seen.insert(code);
    }
    return seen.size() > 1 && (seen.size() == 2 || static_cast<std::int64_t>(seen.size()) < count);
  }
  const auto given = [](double x) { return !std::isnan(x); };
  const auto first = std::find_if(column.numbers.begin(), column.numbers.end(), given);
  return std::any_of(first, column.numbers.end(), [&](double x) { return given(x) && x != *first; });
}

}  // namespace

TargetGuess guess_target(const Table& table) {
  if (table.columns.empty()) {
    fail("guess_target: the table{} has no columns; read one with a header",
         table.source.empty() ? "" : " of '" + table.source + "'");
  }
  std::vector<std::size_t> order(table.columns.size());  // the last, the first, then from the end on
  std::vector<std::string> names;
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i == 0 ? order.size() - 1 : i == 1 ? 0 : order.size() - i;
    names.push_back(words_of(table.columns[i].name));
  }
  const std::size_t all = order.size(), ends = std::min<std::size_t>(2, all);
  const auto matches = [&](const auto& words, std::size_t from, std::size_t to, bool whole) {
    std::vector<const Column*> found;
    for (const std::string_view word : words) {
      for (std::size_t i = from; i < to; ++i) {
        const std::string& name = names[order[i]];
        const bool last_word =
            name.size() > word.size() && name.ends_with(word) && name[name.size() - word.size() - 1] == '_';
        const Column& column = table.columns[order[i]];
        if ((whole ? name == word : last_word) && (table.rows < 2 || can_be_learned(column))) found.push_back(&column);
      }
    }
    return found;
  };
  for (const auto& found :
       {matches(kTargets, 0, all, true), matches(kEvents, 0, ends, true), matches(kAtEnds, 0, ends, true),
        matches(kParts, 0, ends, false), matches(kOutcomes, 0, ends, false), matches(kOutcomes, ends, all, true)}) {
    if (!found.empty()) return {found.front()->name, "by its name"};
  }
  // In the middle of a table a part of a name counts only where no other column has it.
  for (const auto& found : {matches(kParts, ends, all, false), matches(kOutcomes, ends, all, false)}) {
    if (found.size() == 1) return {found.front()->name, "by its name"};
  }
  return {table.columns.back().name, "the last column"};
}

Task guess_task(const Column& target) {
  if (target.text) return Task::kClassification;
  constexpr std::size_t kMostClasses = 20;
  std::set<double> distinct;
  bool whole = true;
  std::size_t count = 0;
  for (const double x : target.numbers) {
    if (std::isnan(x)) continue;
    ++count;
    whole &= x == std::floor(x);
    distinct.insert(x);
    if (distinct.size() > kMostClasses) return Task::kRegression;
  }
  const bool few = whole && count >= 5 * distinct.size();
  return distinct.size() <= 2 || few ? Task::kClassification : Task::kRegression;
}

}  // namespace pellucid::data
