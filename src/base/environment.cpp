// Environment variables.
#include "base/environment.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/fail.h"

namespace pellucid::base {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::int64_t> environment_int(const char* name, std::int64_t low, std::int64_t high) {
  const std::optional<std::string> text = environment(name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end || value < low || value > high) {
    fail("environment variable {}='{}': want a whole number from {} to {}", name, *text, low, high);
  }
  return value;
}

std::vector<std::string> environment_list(const char* name) {
  std::vector<std::string> parts;
  const std::string text = environment(name).value_or("");
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const std::size_t first = part.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    part = part.substr(first, part.find_last_not_of(" \t") - first + 1);
    parts.emplace_back(part);
  }
  return parts;
}

}  // namespace pellucid::base
