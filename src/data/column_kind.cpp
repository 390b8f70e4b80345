// What a column's values say of it.
#include "data/column_kind.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "data/words.h"

namespace pellucid::data {

LevelCounts count_levels(const io::Column& column, std::span<const std::int64_t> rows) {
  LevelCounts result;
  result.counts.resize(column.levels.size());
  for (const std::int64_t row : rows) {
    const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
    if (code < 0) continue;
    ++result.counts[static_cast<std::size_t>(code)];
    ++result.present;
  }
  result.missing = static_cast<std::int64_t>(rows.size()) - result.present;
  for (std::size_t i = 0; i < result.counts.size(); ++i) {
    if (result.counts[i] > 0) result.seen.push_back(i);
  }
  return result;
}

io::Column text_of(const io::Column& column) {
  if (column.text) return column;
  io::Column text;
  text.name = column.name;
  text.text = true;
  std::unordered_map<std::string, std::int32_t> codes;
  for (std::int64_t row = 0; row < column.size(); ++row) {
    if (column.missing(row)) {
      text.codes.push_back(-1);
      continue;
    }
    const auto [at, added] = codes.try_emplace(column.field(row), static_cast<std::int32_t>(text.levels.size()));
    if (added) text.levels.push_back(at->first);
    text.codes.push_back(at->second);
  }
  return text;
}

bool is_identifier(const io::Column& column, std::span<const std::int64_t> rows) {
  constexpr std::size_t kFew = 20;
  std::string name;
  for (const char c : column.name) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool named = name == "id" || name == "index" || name == "row" || name == "rownames" ||
                     name.starts_with("unnamed:") || name == "column_1" || name.ends_with("_id") ||
                     name.ends_with(" id");
  if (!named || rows.size() < kFew) return false;
  std::vector<double> values;
  for (const std::int64_t row : rows) {
    values.push_back(column.numbers[static_cast<std::size_t>(row)]);
    if (values.back() != std::floor(values.back())) return false;  // NaN, too
  }
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) == values.end();
}

std::optional<DateFormat> date_format_of(const io::Column& column, const std::vector<std::size_t>& seen) {
  const auto fits = [&](DateFormat format) {
    return std::all_of(seen.begin(), seen.end(),
                       [&](std::size_t i) { return parse_date(column.levels[i], format).has_value(); });
  };
  for (const auto& [format, name] : kDateFormats) {
    if (!fits(format)) continue;
    const bool slashes = column.levels[seen.front()].find('/') != std::string::npos;
    const bool other = format == DateFormat::kDayFirst && slashes && fits(DateFormat::kMonthFirst);
    return other ? DateFormat::kMonthFirst : format;
  }
  return {};
}

std::vector<std::string> boolean_levels(const io::Column& column, const std::vector<std::size_t>& seen) {
  std::vector<std::string> texts;
  for (const std::size_t i : seen) texts.push_back(column.levels[i]);
  if (!are_booleans(texts)) return {};
  std::sort(texts.begin(), texts.end(), [](const std::string& a, const std::string& b) {
    return std::pair(*parse_boolean(a), std::string_view(a)) < std::pair(*parse_boolean(b), std::string_view(b));
  });
  return {texts.front(), texts.back()};
}

bool is_running_text(const io::Column& column, const std::vector<std::size_t>& seen, std::size_t rows) {
  constexpr std::size_t kFewRows = 100;
  if (rows < kFewRows) return false;
  const auto is_letter = [](unsigned char c) { return c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); };
  std::unordered_set<std::uint64_t> words;
  std::size_t count = 0;
  for (const std::size_t level : seen) {
    each_word(column.levels[level], [&](std::string_view word) {
      if (!std::any_of(word.begin(), word.end(), is_letter)) return;  // numbers alone are a code
      words.insert(hash_of(word));
      ++count;
    });
  }
  return count >= 3 * seen.size() && 2 * words.size() <= count;
}

}  // namespace pellucid::data
