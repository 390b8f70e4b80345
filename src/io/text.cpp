// Small tools on text that the readers share.
#include "io/text.h"

#include <fast_float/fast_float.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "pellucid/io.h"

namespace pellucid::io {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U; };
    const auto continues = [&](std::size_t k) { return (at(k) & 0xC0U) == 0x80U; };
    const unsigned lead = at(0);
    if (lead < 0x80) {
      i += 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && continues(1)) {
      i += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF && continues(1) && continues(2) && !(lead == 0xE0 && at(1) < 0xA0) &&
               !(lead == 0xED && at(1) > 0x9F)) {
      i += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4 && continues(1) && continues(2) && continues(3) &&
               !(lead == 0xF0 && at(1) < 0x90) && !(lead == 0xF4 && at(1) > 0x8F)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::size_t end = std::min(text.size(), kMost);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  const std::string_view head = text.substr(0, end);
  const bool utf8 = valid_utf8(head);
  std::string result;
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      result += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
    } else {
      result += c;
    }
  }
  if (end < text.size()) result += "...";
  return result;
}

bool parse_number(std::string_view text, char decimal_point, double& value) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  if (text.empty()) return false;
  const char* end = text.data() + text.size();
  const fast_float::parse_options options(fast_float::chars_format::general, decimal_point);
  const auto result = fast_float::from_chars_advanced(text.data(), end, value, options);
  // Beyond the range of double the value is set to an infinity or zero, which is what is meant.
  return result.ptr == end && (result.ec == std::errc() || result.ec == std::errc::result_out_of_range);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

std::string list_near(std::string_view name, const std::vector<std::string>& names, std::size_t most) {
  name = name.substr(0, 64);
  const std::size_t far = std::clamp<std::size_t>((name.size() + 1) / 2, 1, 3);
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view other = std::string_view(names[i]).substr(0, 64);
    const std::size_t at = other.find(name);  // of "rate" in "learning-rate", not in "calibrate"
    const bool within = name.size() >= 3 && at != std::string_view::npos && (at == 0 || other[at - 1] == '-');
    const std::size_t distance = within ? 0 : edit_distance(name, other);
    if (distance <= far) order.emplace_back(distance, i);
  }
  std::stable_sort(order.begin(), order.end());
  std::string result;
  for (std::size_t i = 0; i < std::min(most, order.size()) && order[i].first == order[0].first; ++i) {
    result += base::format("{}'{}'", i == 0 ? "" : " or ", shown(names[order[i].second]));
  }
  return result;
}

std::string list_similar(std::string_view name, const std::vector<std::string>& names, std::size_t most) {
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t i = 0; i < names.size(); ++i) {
    order.emplace_back(edit_distance(name.substr(0, 64), std::string_view(names[i]).substr(0, 64)), i);
  }
  std::sort(order.begin(), order.end());
  std::string result;
  for (std::size_t i = 0; i < std::min(most, order.size()); ++i) {
    result += base::format("{}'{}'", i == 0 ? "" : ", ", shown(names[order[i].second]));
  }
  if (order.size() > most) result += base::format(" and {} more", order.size() - most);
  return result;
}

std::string to_text(double value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, std::isnan(value) ? NAN : value);
  return {buffer, result.ptr};
}

std::string to_text(float value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, std::isnan(value) ? NAN : value);
  return {buffer, result.ptr};
}

}  // namespace pellucid::io
