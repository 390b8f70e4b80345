// Descriptions of networks as JSON and back. Needs nothing else of this room, so that it is looked into by itself
// (fuzz/).
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fail.h"
#include "pellucid/nn.h"

namespace pellucid::nn {

using base::fail;
using Json = nlohmann::ordered_json;

namespace {

Json json_of(const Description& description) {
  Json json;
  if (!description.name.empty()) json["name"] = description.name;
  json["type"] = description.type;
  for (const auto& [name, option] : description.options) {
    std::visit([&, &key = name](const auto& value) { json[key] = value; }, option);
  }
  for (const Description& layer : description.layers) json["layers"].push_back(json_of(layer));
  return json;
}

/// What stands in a file, as it can stand in a one-line message.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 60;
  return Json(std::string(text.substr(0, kMost))).dump(-1, ' ', true, Json::error_handler_t::replace);
}
std::string shown(const Json& json) {
  return json.is_string() ? in_quotes(json.get_ref<const std::string&>()) : json.dump(-1, ' ', true).substr(0, 60);
}

std::int64_t integer_of(const std::string& name, const Json& json) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    fail("description: {} holds {}, which does not fit int64", in_quotes(name), shown(json));
  }
  return json.get<std::int64_t>();
}

Option option_of(const std::string& name, const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return integer_of(name, json);
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    std::vector<std::int64_t> list;
    for (const Json& item : json) {
      if (!item.is_number_integer())
        fail("description: the list {} holds {}, which is not an integer", in_quotes(name), shown(item));
      list.push_back(integer_of(name, item));
    }
    return list;
  }
  fail("description: {} is {}, which is no setting", in_quotes(name), shown(json));
}

Description description_of(const Json& json, int depth) {
  if (depth > 100) fail("description: layers are nested more than 100 deep");
  if (!json.is_object()) fail("description: a layer must be an object, not {}", shown(json));
  Description description;
  for (const auto& [key, value] : json.items()) {
    if (key == "name" || key == "type") {
      if (!value.is_string()) fail("description: '{}' must be a text, not {}", key, shown(value));
      (key == "name" ? description.name : description.type) = value.get<std::string>();
    } else if (key == "layers") {
      if (!value.is_array()) fail("description: 'layers' must be a list, not {}", shown(value));
      for (const Json& layer : value) description.layers.push_back(description_of(layer, depth + 1));
    } else {
      description.options.emplace_back(key, option_of(key, value));
    }
  }
  if (description.type.empty()) fail("description: a layer has no 'type': {}", shown(json));
  return description;
}

}  // namespace

std::string to_json(const Description& description) { return json_of(description).dump(); }

Description description_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) fail("description: this is not JSON: {}", in_quotes(text));
  return description_of(json, 0);
}

}  // namespace pellucid::nn
