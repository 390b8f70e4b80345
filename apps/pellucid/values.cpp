// See values.h.
#include "values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli.h"
#include "io/text.h"

namespace pellucid::cli {
namespace {

template <class Test>
CLI::Validator number(const char* kind, Test test) {
  return {[kind, test](std::string& text) {
            double value = 0;
            const bool fits = io::parse_number(text, '.', value) && std::isfinite(value) && test(value);
            return fits ? std::string() : fmt::format("'{}' is not {}", io::shown(text), kind);
          },
          ""};
}

std::string none_of(const std::string& text, const std::vector<std::string>& names) {
  const std::string near = io::list_near(text, names, 1);
  return fmt::format("'{}' is none of {}{}", io::shown(text), fmt::join(names, ", "),
                     near.empty() ? "" : fmt::format("; perhaps {} is meant", near));
}

}  // namespace

CLI::Validator positive() {
  return number("a number above 0", [](double value) { return value > 0; });
}

CLI::Validator not_negative() {
  return number("a number of 0 or above", [](double value) { return value >= 0; });
}

CLI::Validator share() {
  return number("a share of at least 0 and below 1", [](double value) { return value >= 0 && value < 1; });
}

CLI::Validator whole(std::uint64_t least, std::uint64_t most) {
  return {[least, most](std::string& text) {
            std::uint64_t value = 0;
            const char* end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc() && stop == end && value >= least && value <= most) return std::string();
            const bool large = error == std::errc::result_out_of_range || value > most;
            return fmt::format("'{}' is not a whole number {}", io::shown(text),
                               large || most < kAny ? fmt::format("from {} to {}", least, most)
                                                    : fmt::format("of at least {}", least));
          },
          ""};
}

CLI::Validator one_of(std::vector<std::string> names) {
  return {[names = std::move(names)](std::string& text) {
            return std::find(names.begin(), names.end(), text) != names.end() ? std::string() : none_of(text, names);
          },
          ""};
}

CLI::Validator place_among(std::vector<std::string> names) {
  return {[names = std::move(names)](std::string& text) {
            const auto place = std::find(names.begin(), names.end(), text);
            if (place == names.end()) return none_of(text, names);
            text = std::to_string(place - names.begin());
            return std::string();
          },
          ""};
}

CLI::Validator yes_or_no() {
  return {[](std::string& text) {
            const bool yes = text == "yes" || text == "true";
            if (!yes && text != "no" && text != "false")
              return fmt::format("'{}' is neither yes nor no", io::shown(text));
            text = yes ? "1" : "0";
            return std::string();
          },
          ""};
}

void check_values(const CLI::App& verb, const std::vector<std::string>& words) {
  const auto option_of = [&](const std::string& word) -> const CLI::Option* {
    return word.starts_with("--") && word.size() > 2 ? verb.get_option_no_throw(word.substr(0, word.find('=')))
                                                     : nullptr;
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") return;
    const CLI::Option* option = option_of(word);
    if (option == nullptr || option->get_items_expected_min() == 0) continue;
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size() && option_of(words[i + 1]) == nullptr) {
      value = words[i + 1];
    }
    if (value.empty()) usage("{} has no value; write {} {}, or leave it out", name, name, option->get_type_name());
    const bool list = option->get_delimiter() == ',';
    if (list && (value.front() == ',' || value.back() == ',' || value.find(",,") != std::string::npos)) {
      usage("{}: '{}' has an empty place; write one comma between two values", name, io::shown(value));
    }
  }
}

}  // namespace pellucid::cli
