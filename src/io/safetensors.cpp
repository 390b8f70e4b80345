// Reading and writing safetensors files.
#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/fail.h"
#include "io/file.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;
using Json = nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kAlign = 8;

constexpr std::pair<std::string_view, Stored> kTypes[] = {
    {"BOOL", Stored::kBool},  {"U8", Stored::kUInt8},    {"I8", Stored::kInt8},       {"I16", Stored::kInt16},
    {"U16", Stored::kUInt16}, {"I32", Stored::kInt32},   {"U32", Stored::kUInt32},    {"I64", Stored::kInt64},
    {"U64", Stored::kUInt64}, {"F16", Stored::kFloat16}, {"BF16", Stored::kBFloat16}, {"F32", Stored::kFloat32},
    {"F64", Stored::kFloat64}};

std::string_view type_name(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "BOOL";
    case DType::kUInt8:
      return "U8";
    case DType::kInt32:
      return "I32";
    case DType::kInt64:
      return "I64";
    case DType::kBFloat16:
      return "BF16";
    case DType::kFloat64:
      return "F64";
    default:
      return "F32";
  }
}

// The JSON of the header, without the spaces that may follow it. The reference takes other blanks too, in which more
// than one program could hide its own reading of a file.
std::string_view without_padding(std::string_view header, const std::string& path) {
  if (!header.starts_with('{')) {
    fail("read_safetensors: '{}': the header does not begin with '{{'; the file is damaged or no safetensors file",
         path);
  }
  const std::string_view text = header.substr(0, header.find_last_not_of(' ') + 1);
  if (!text.ends_with('}')) {
    fail("read_safetensors: '{}': the header does not end in '}}' and spaces; the file is damaged", path);
  }
  return text;
}

// The header as JSON. Equal names and deep nesting are found while it is read: nothing is built that is not needed.
Json parse_header(std::string_view text, const std::string& path) {
  std::set<std::string> names, keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    constexpr int kDeepest = 3;  // the header, a tensor, its shape
    if (depth > kDeepest) fail("read_safetensors: '{}': the header is nested too deep; the file is damaged", path);
    if (event == Json::parse_event_t::object_start) keys.clear();
    if (event != Json::parse_event_t::key) return true;
    const auto& name = value.get_ref<const std::string&>();
    if (!(depth == 1 ? names : keys).insert(name).second) {
      fail("read_safetensors: '{}': the name '{}' appears twice; write the file again with names of their own", path,
           shown(name));
    }
    if (name.find('\0') != std::string::npos) {
      fail("read_safetensors: '{}': the name '{}' holds a NUL; write the file again without", path, shown(name));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception&) {
    fail("read_safetensors: '{}': the header is not JSON; the file is damaged or no safetensors file", path);
  }
}

// What the header says of one tensor.
struct Entry {
  std::string name;
  Stored type = Stored::kFloat32;
  Shape shape;
  std::size_t begin = 0, end = 0;
};

std::optional<std::uint64_t> natural(const Json& value) {
  if (!value.is_number_unsigned()) return {};
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
  return number;
}

Entry read_entry(const std::string& name, const Json& json, std::size_t size, const std::string& path) {
  const auto wrong = [&](std::string_view reason) {
    fail("read_safetensors: '{}': tensor '{}': {}; the file is damaged", path, shown(name), reason);
  };
  Entry entry;
  entry.name = name;
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    wrong("its entry does not hold dtype, shape and data_offsets alone");
  }
  const Json& dtype = json["dtype"];
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& pair) {
    return dtype.is_string() && dtype == std::string(pair.first);
  });
  if (type == std::end(kTypes)) {
    fail(
        "read_safetensors: '{}': tensor '{}': element type {} is not one that is read (BOOL, U8 to I64, F16, BF16, "
        "F32, F64); convert it to F32",
        path, shown(name), shown(dtype.dump(-1, ' ', true)));
  }
  entry.type = type->second;

  const Json& shape = json["shape"];
  if (!shape.is_array() || shape.size() > static_cast<std::size_t>(kMaxRank))
    wrong("its shape is no list of at most 16 sizes");
  for (const Json& n : shape) {
    const auto value = natural(n);
    if (!value) wrong("a size in its shape is no whole number from 0 to 2^63 - 1");
    entry.shape.push_back(static_cast<std::int64_t>(*value));
  }
  std::size_t bytes = 0;
  if (!count_bytes(entry.shape, size_of(entry.type), bytes)) wrong(base::format("its shape {} overflows", entry.shape));

  const Json& offsets = json["data_offsets"];
  const bool pair = offsets.is_array() && offsets.size() == 2;
  const auto begin = pair ? natural(offsets[0]) : std::nullopt, end = pair ? natural(offsets[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || *end > size) {
    wrong(base::format("its data_offsets are no range within the {} bytes of data", size));
  }
  if (*end - *begin != bytes) {
    wrong(base::format("shape {} takes {} bytes, and its range has {}", entry.shape, bytes, *end - *begin));
  }
  entry.begin = *begin;
  entry.end = *end;
  return entry;
}

std::string_view content(const Array& array) {
  return {static_cast<const char*>(array.raw_data()),
          static_cast<std::size_t>(array.size()) * pellucid::size_of(array.dtype())};
}

}  // namespace

RawTensors parse_safetensors(std::string_view bytes, const std::string& path) {
  if (bytes.size() < kAlign) {
    fail("read_safetensors: '{}' has {} bytes, and a safetensors file at least {}; copy it again", path, bytes.size(),
         kAlign);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMostHeader || length > bytes.size() - kAlign) {
    fail(
        "read_safetensors: '{}': the header claims {} bytes in a file of {} (at most {} are read); the file was cut "
        "off or is no safetensors file",
        path, length, bytes.size(), kMostHeader);
  }
  const Json header = parse_header(without_padding(bytes.substr(kAlign, length), path), path);
  const std::string_view data = bytes.substr(kAlign + length);

  RawTensors result;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadata) {
      entries.push_back(read_entry(name, value, data.size(), path));
      continue;
    }
    if (!value.is_object()) fail("read_safetensors: '{}': __metadata__ is no JSON object; the file is damaged", path);
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) {
        fail("read_safetensors: '{}': '{}' in __metadata__ is no text; the file is damaged", path, shown(key));
      }
      result.metadata.emplace(key, text.get<std::string>());
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::size_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      fail(
          "read_safetensors: '{}': tensor '{}' begins at byte {} of the data, and the one before ends at {}; the file "
          "is damaged",
          path, shown(entry.name), entry.begin, at);
    }
    at = entry.end;
  }
  if (at != data.size()) {
    fail("read_safetensors: '{}': the tensors take {} bytes, and there are {}; the file is damaged", path, at,
         data.size());
  }
  for (const Entry& entry : entries) {
    const std::string where = base::format("read_safetensors: '{}', tensor '{}'", path, shown(entry.name));
    result.tensors.emplace(
        entry.name, decode(data.substr(entry.begin, entry.end - entry.begin), entry.type, entry.shape, false, where));
  }
  return result;
}

TensorFile read_safetensors(const std::string& path) {
  const FileBytes bytes = map_file(path, "read_safetensors");
  RawTensors raw = parse_safetensors(bytes.view(), path);
  TensorFile file{.tensors = {}, .metadata = std::move(raw.metadata)};
  for (const auto& [name, array] : raw.tensors) file.tensors.emplace(name, array.to_array());
  return file;
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  base::AtomicFile out(path);
  write_safetensors(out, file, path);
  out.commit();
}

void write_safetensors(base::AtomicFile& out, const TensorFile& file, const std::string& path) {
  std::vector<const std::pair<const std::string, Array>*> order;
  for (const auto& tensor : file.tensors) {
    const std::string& name = tensor.first;
    if (name.empty() || name == kMetadata || !valid_utf8(name) || name.find('\0') != std::string::npos) {
      fail("write_safetensors: '{}': a tensor cannot be named '{}'; give it another name", path, shown(name));
    }
    if (!tensor.second.defined()) {
      fail("write_safetensors: '{}': the tensor '{}' holds nothing; give it a value", path, shown(name));
    }
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const std::size_t a_size = pellucid::size_of(a->second.dtype()), b_size = pellucid::size_of(b->second.dtype());
    return a_size != b_size ? a_size > b_size : a->first < b->first;
  });

  Json header = Json::object();
  for (const auto& [key, value] : file.metadata) {
    if (!valid_utf8(key) || !valid_utf8(value) || key.find('\0') != std::string::npos) {
      fail("write_safetensors: '{}': the metadata '{}' is not UTF-8 or has NUL in its name; convert it", path,
           shown(key));
    }
    header[std::string(kMetadata)][key] = value;
  }
  std::size_t at = 0;
  for (const auto* tensor : order) {
    const Array& array = tensor->second;
    const std::size_t size = content(array).size();
    header[tensor->first] = {
        {"dtype", std::string(type_name(array.dtype()))}, {"shape", array.shape()}, {"data_offsets", {at, at + size}}};
    at += size;
  }
  std::string text = header.dump();
  text.append((kAlign - text.size() % kAlign) % kAlign, ' ');
  if (text.size() > kMostHeader) {
    fail("write_safetensors: '{}': names and metadata take {} bytes, and readers take {}; shorten them", path,
         text.size(), kMostHeader);
  }

  const std::uint64_t length = text.size();
  out.write(&length, sizeof length);
  out.write(text);
  for (const auto* tensor : order) out.write(content(tensor->second));
}

}  // namespace pellucid::io
