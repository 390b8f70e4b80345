// Options from a TOML file.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/fail.h"
#include "cli.h"
#include "io/file.h"
#include "io/text.h"
#include "toml.h"
#include "toml_text.h"

namespace pellucid::cli {
namespace {

[[noreturn]] void fail_at(const std::string& path, const toml::source_region& where, const std::string& text) {
  usage("{}, line {}: {}", path, where.begin.line, text);
}

std::string value_text(const std::string& path, const std::string& key, const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  fail_at(path, node.source(), fmt::format("'{}' takes a text, a number, true, false or a list of these", key));
}

}  // namespace

std::string no_option(const CLI::App& verb, const std::string& word, const std::string& command) {
  const std::size_t dashes = std::min(word.find_first_not_of('-'), word.size());
  std::vector<std::string> names;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->nonpositional()) names.push_back(option->get_lnames().front());
  }
  std::string asked = word.substr(dashes, word.find('=') - dashes);
  std::replace(asked.begin(), asked.end(), '_', '-');
  std::string near = io::list_near(asked, names);
  for (std::size_t at = 0; dashes > 0 && (at = near.find('\'', at)) != std::string::npos;
       at = near.find('\'', at) + 1) {
    near.insert(++at, "--");
  }
  return fmt::format("there is no option '{}'; {}`{} --help` lists all", word,
                     near.empty() ? near : fmt::format("perhaps {} is meant; ", near), command);
}

int line_of_stray_letter(std::string_view text) {
  constexpr std::string_view kBefore = " \t\r\n=[,{.";  // what a quote that opens stands behind
  std::string_view closes;                              // what ends the text or comment that is open
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      if (closes.size() == 1) closes = {};
    } else if (closes == "\n") {
      continue;
    } else if (!closes.empty()) {
      if (c == '\\' && closes[0] == '"') {
        ++i;
        if (i < text.size() && text[i] == '\n') --i;
      } else if (text.substr(i).starts_with(closes)) {
        i += closes.size() - 1;
        closes = {};
      }
    } else if (c == '#') {
      closes = "\n";
    } else if ((c == '"' || c == '\'') && (i == 0 || kBefore.find(text[i - 1]) != std::string_view::npos)) {
      const std::string_view quotes = c == '"' ? "\"\"\"" : "'''";
      closes = text.substr(i).starts_with(quotes) ? quotes : quotes.substr(0, 1);
      i += closes.size() - 1;
    } else if (static_cast<unsigned char>(c) >= 0x80 && !(i < 3 && text.starts_with("\xEF\xBB\xBF"))) {
      return line;
    }
  }
  return 0;
}

void apply_config(CLI::App& verb, const std::string& path) {
  apply_config(verb, io::read_file(path, "config").view(), path);
}

void apply_config(CLI::App& verb, std::string_view text, const std::string& path) {
  if (const int line = line_of_stray_letter(text); line > 0) {
    usage("{}, line {}: a letter beyond ASCII stands outside of quotes; names of options have none", path, line);
  }
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    fail_at(path, error.source(), one_line(error.description()));
  }
  for (const auto& [name, node] : table) {
    std::string key(name.str());
    for (char& c : key) {
      if (c == '_') c = '-';
    }
    if (key == "config" || key == "help") {
      fail_at(path, name.source(), fmt::format("'{}' belongs on the command line; leave it out here", key));
    }
    CLI::Option* option = verb.get_option_no_throw("--" + key);
    if (option == nullptr) {
      fail_at(path, name.source(), no_option(verb, std::string(name.str()), "pellucid " + verb.get_name()));
    }
    const auto is_given = [](const CLI::Option* one) { return one->count() > 0; };
    const std::set<CLI::Option*> others = option->get_excludes();
    if (is_given(option) || std::any_of(others.begin(), others.end(), is_given)) continue;
    std::vector<std::string> values;
    if (const auto* list = node.as_array()) {
      for (const toml::node& item : *list) values.push_back(value_text(path, key, item));
    } else {
      values.push_back(value_text(path, key, node));
    }
    if (option->get_items_expected_max() == 0 && !node.is_boolean()) {  // a flag
      fail_at(path, name.source(), fmt::format("'{}' takes true or false", key));
    }
    const auto most = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 1));
    if (values.empty() || values.size() > most) {
      fail_at(path, name.source(),
              fmt::format("'{}' takes {}, and {} are given", key, most > 1 ? "one value or several" : "one value",
                          values.size()));
    }
    try {
      option->add_result(values);
      option->run_callback();
    } catch (const CLI::Error& error) {
      fail_at(path, name.source(), error.what());
    }
  }
}

}  // namespace pellucid::cli
