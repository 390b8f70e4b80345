// Schemas as files.
#include "schema_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/fail.h"
#include "cli.h"
#include "io/file.h"
#include "toml.h"
#include "toml_text.h"

namespace pellucid::cli {
namespace {

using Json = nlohmann::ordered_json;

// TOML's basic strings and JSON's differ in nothing that JSON writes, but for DEL.
std::string quoted(const std::string& text) {
  std::string result = Json(text).dump();
  for (std::size_t at = 0; (at = result.find('\x7f', at)) != std::string::npos;) result.replace(at, 1, "\\u007f");
  return result;
}

std::string value_text(const Json& value) {
  if (value.is_string()) return quoted(value.get<std::string>());
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const Json& item : value) items.push_back(value_text(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

const char* comment_on(const std::string& key, const Json& value) {
  if (key == "missing" && value != 0.0) return "  # the share of rows without a value";
  if (key == "on_unseen") return "  # or \"refuse\"";
  if (key == "on_missing") return "  # or \"refuse\"";
  if (key == "out_of_range") return "  # or \"clip\" (numbers), \"refuse\"";
  return "";
}

Json json_of(const toml::node& node, const std::string& path) {
  if (const auto* table = node.as_table()) {
    Json json = Json::object();
    for (const auto& [key, value] : *table) json[std::string(key.str())] = json_of(value, path);
    return json;
  }
  if (const auto* list = node.as_array()) {
    Json json = Json::array();
    for (const toml::node& item : *list) json.push_back(json_of(item, path));
    return json;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  base::fail("'{}', line {}: dates and times belong in quotes", path, node.source().begin.line);
}

}  // namespace

std::string to_toml(const data::Schema& schema, const std::string& source) {
  std::string text = fmt::format(
      "# The schema of {}: what its columns are and are for. Edit it, and give it to `pellucid train --schema`.\n"
      "# type: number, whole number, boolean, category, text, date, identifier, constant\n"
      "# role: input, target, ignore, group (held out together), time (the newest held out), weight (of rows)\n",
      shortened(source, 200));
  const Json json = Json::parse(data::to_json(schema));
  for (const Json& column : json.at("column")) {
    text += "\n[[column]]\n";
    for (const auto& [key, value] : column.items()) {
      text += fmt::format("{} = {}{}\n", key, value_text(value), comment_on(key, value));
    }
  }
  return text;
}

data::Schema read_schema(const std::string& path) {
  const io::FileBytes bytes = io::read_file(path, "schema");
  return parse_schema(bytes.view(), path);
}

data::Schema parse_schema(std::string_view text, const std::string& path) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  std::string json(text);
  if (first == std::string_view::npos || text[first] != '{') {
    if (const int line = line_of_stray_letter(text); line > 0) {
      base::fail("'{}', line {}: a letter beyond ASCII stands outside of quotes; put it into quotes", path, line);
    }
    try {
      const toml::table table = toml::parse(text, path);
      json = json_of(table, path).dump();
    } catch (const toml::parse_error& error) {
      base::fail("'{}', line {}: {}", path, error.source().begin.line, one_line(error.description()));
    }
  }
  try {
    return data::schema_from_json(json);
  } catch (const Error& error) {
    base::fail("'{}': {}", path, error.what());
  }
}

}  // namespace pellucid::cli
