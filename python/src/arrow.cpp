#include "arrow.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace pellucid::python {

namespace {

// ---- The structures of Arrow's C data interface ---------------------------------------------------------------------

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  std::int64_t length, null_count, offset, n_buffers, n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};
struct ArrowArrayStream {
  int (*get_schema)(ArrowArrayStream*, ArrowSchema*);
  int (*get_next)(ArrowArrayStream*, ArrowArray*);
  const char* (*get_last_error)(ArrowArrayStream*);
  void (*release)(ArrowArrayStream*);
  void* private_data;
};

/// Releases a structure that somebody else filled in.
template <class T>
struct Owned {
  T value{};
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (value.release != nullptr) value.release(&value);
  }
};

bool bit(const void* bits, std::int64_t i) {
  return (static_cast<const std::uint8_t*>(bits)[i / 8] >> (i % 8) & 1) != 0;
}
bool present(const ArrowArray& array, std::int64_t i) {
  return array.n_buffers == 0 || array.buffers[0] == nullptr || bit(array.buffers[0], array.offset + i);
}

// ---- Numbers --------------------------------------------------------------------------------------------------------

float half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 1023;
  float value = 0;
  if (exponent == 31) {
    value = mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  } else {
    value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                          : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

template <class T, class F>
void append_all(const ArrowArray& array, std::vector<double>& out, F convert) {
  if (array.length == 0) return;
  const T* values = static_cast<const T*>(array.buffers[1]) + array.offset;
  const std::size_t start = out.size();
  out.resize(start + static_cast<std::size_t>(array.length));
  double* to = out.data() + start;
  for (std::int64_t i = 0; i < array.length; ++i) to[i] = convert(values[i]);
  if (array.null_count == 0 || array.buffers[0] == nullptr) return;
  for (std::int64_t i = 0; i < array.length; ++i) {
    if (!present(array, i)) to[i] = std::numeric_limits<double>::quiet_NaN();
  }
}
template <class T>
void append(const ArrowArray& array, std::vector<double>& out) {
  append_all<T>(array, out, [](T x) { return static_cast<double>(x); });
}

/// How the numbers of a format are appended; null for a format that is no number.
using Append = void (*)(const ArrowArray&, std::vector<double>&);
Append number_reader(std::string_view format) {
  if (format == "c") return append<std::int8_t>;
  if (format == "C") return append<std::uint8_t>;
  if (format == "s") return append<std::int16_t>;
  if (format == "S") return append<std::uint16_t>;
  if (format == "i") return append<std::int32_t>;
  if (format == "I") return append<std::uint32_t>;
  if (format == "l") return append<std::int64_t>;
  if (format == "L") return append<std::uint64_t>;
  if (format == "f") return append<float>;
  if (format == "g") return append<double>;
  if (format == "e") {
    return [](const ArrowArray& array, std::vector<double>& out) { append_all<std::uint16_t>(array, out, half); };
  }
  if (format == "n") {
    return [](const ArrowArray& array, std::vector<double>& out) {
      out.insert(out.end(), static_cast<std::size_t>(array.length), std::numeric_limits<double>::quiet_NaN());
    };
  }
  return nullptr;
}

// ---- Text -----------------------------------------------------------------------------------------------------------

/// The code of each distinct text of a column, in the order of their first appearance.
struct Levels {
  std::unordered_map<std::string, std::int32_t> codes;
  std::int32_t code(std::string text, io::Column& column) {
    const auto [it, fresh] = codes.emplace(std::move(text), static_cast<std::int32_t>(codes.size()));
    if (fresh) column.levels.push_back(it->first);
    return it->second;
  }
};

template <class Offset>
std::string text_at(const ArrowArray& array, std::int64_t i) {
  const Offset* offsets = static_cast<const Offset*>(array.buffers[1]) + array.offset;
  const char* characters = static_cast<const char*>(array.buffers[2]);
  return {characters + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
}

/// A view is 16 bytes: length, then the text itself where it has at most 12 bytes, else 4 of them, buffer, offset.
std::string text_view_at(const ArrowArray& array, std::int64_t i) {
  const char* view = static_cast<const char*>(array.buffers[1]) + 16 * (array.offset + i);
  std::int32_t length = 0, buffer = 0, offset = 0;
  std::memcpy(&length, view, 4);
  if (length <= 12) return {view + 4, static_cast<std::size_t>(length)};
  std::memcpy(&buffer, view + 8, 4);
  std::memcpy(&offset, view + 12, 4);
  return {static_cast<const char*>(array.buffers[2 + buffer]) + offset, static_cast<std::size_t>(length)};
}

/// A day since 1970 as (year, month, day); Hinnant, "chrono-compatible low-level date algorithms" (2021).
std::string date_text(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}", year, month, day_of_year - (153 * shifted + 2) / 5 + 1);
}
std::string time_text(std::int64_t value, std::int64_t per_second) {
  std::int64_t seconds = value / per_second;
  if (value % per_second < 0) --seconds;
  std::int64_t days = seconds / 86400;
  if (seconds % 86400 < 0) --days;
  seconds -= days * 86400;
  return fmt::format("{}T{:02}:{:02}:{:02}", date_text(days), seconds / 3600, seconds / 60 % 60, seconds % 60);
}
template <class T>
T value_at(const ArrowArray& array, std::int64_t i) {
  return static_cast<const T*>(array.buffers[1])[array.offset + i];
}

/// How the text of one element is read; null for a format that is no text.
using Text = std::string (*)(const ArrowArray&, std::int64_t);
Text text_reader(std::string_view format) {
  if (format == "u") return text_at<std::int32_t>;
  if (format == "U") return text_at<std::int64_t>;
  if (format == "vu") return text_view_at;
  if (format == "b") {
    return [](const ArrowArray& array, std::int64_t i) {
      return std::string(bit(array.buffers[1], array.offset + i) ? "true" : "false");
    };
  }
  if (format == "tdD")
    return [](const ArrowArray& a, std::int64_t i) { return date_text(value_at<std::int32_t>(a, i)); };
  if (format == "tdm") {
    return [](const ArrowArray& a, std::int64_t i) { return time_text(value_at<std::int64_t>(a, i), 1000); };
  }
  if (format.starts_with("tss:"))
    return [](const ArrowArray& a, std::int64_t i) { return time_text(value_at<std::int64_t>(a, i), 1); };
  if (format.starts_with("tsm:"))
    return [](const ArrowArray& a, std::int64_t i) { return time_text(value_at<std::int64_t>(a, i), 1000); };
  if (format.starts_with("tsu:"))
    return [](const ArrowArray& a, std::int64_t i) { return time_text(value_at<std::int64_t>(a, i), 1000000); };
  if (format.starts_with("tsn:"))
    return [](const ArrowArray& a, std::int64_t i) { return time_text(value_at<std::int64_t>(a, i), 1000000000); };
  return nullptr;
}

/// The texts of a category's values.
std::vector<std::string> dictionary_texts(const ArrowSchema& schema, const ArrowArray& values) {
  std::vector<std::string> texts;
  if (const Text text = text_reader(schema.format)) {
    for (std::int64_t i = 0; i < values.length; ++i) texts.push_back(present(values, i) ? text(values, i) : "");
    return texts;
  }
  const Append numbers = number_reader(schema.format);
  if (numbers == nullptr) return {};
  std::vector<double> list;
  numbers(values, list);
  for (const double x : list) texts.push_back(io::to_text(x));
  return texts;
}

void append_category(const ArrowSchema& schema, const ArrowArray& array, Levels& levels, io::Column& column) {
  const std::vector<std::string> texts = dictionary_texts(*schema.dictionary, *array.dictionary);
  std::vector<std::int32_t> codes(texts.size(), -2);
  std::vector<double> positions;
  number_reader(schema.format)(array, positions);
  for (const double position : positions) {
    if (std::isnan(position)) {
      column.codes.push_back(-1);
      continue;
    }
    const auto at = static_cast<std::size_t>(position);
    if (at >= texts.size()) throw nb::value_error("Arrow stream: a category's number is beyond its dictionary");
    if (codes[at] == -2)
      codes[at] = present(*array.dictionary, static_cast<std::int64_t>(at)) ? levels.code(texts[at], column) : -1;
    column.codes.push_back(codes[at]);
  }
}

// ---- The stream -----------------------------------------------------------------------------------------------------

struct Reader {
  Append number = nullptr;
  Text text = nullptr;
  bool category = false;
  Levels levels;
};

Reader reader_of(const ArrowSchema& field) {
  Reader reader;
  const std::string_view format = field.format;
  if (field.dictionary != nullptr) {
    reader.category = number_reader(format) != nullptr && (text_reader(field.dictionary->format) != nullptr ||
                                                           number_reader(field.dictionary->format) != nullptr);
  } else {
    reader.number = number_reader(format);
    reader.text = text_reader(format);
  }
  if (reader.number == nullptr && reader.text == nullptr && !reader.category) {
    throw nb::type_error(fmt::format("column '{}' is of Arrow's type '{}'; give numbers, texts, categories, booleans, "
                                     "dates or times, or leave it out",
                                     field.name, field.dictionary != nullptr ? field.dictionary->format : format)
                             .c_str());
  }
  return reader;
}

/// May a column be the batch's own memory? float64, and NaN where null.
bool shareable(const ArrowSchema& field, const ArrowArray& array) {
  if (std::string_view(field.format) != "g" || array.length == 0) return false;
  const double* values = static_cast<const double*>(array.buffers[1]) + array.offset;
  if (reinterpret_cast<std::uintptr_t>(values) % alignof(double) != 0) return false;
  if (array.null_count == 0 || array.buffers[0] == nullptr) return true;
  for (std::int64_t i = 0; i < array.length; ++i) {
    if (!std::isnan(values[i]) && !present(array, i)) return false;
  }
  return true;
}

/// `batch` keeps the memory of `array`.
void append_column(const ArrowSchema& field, const ArrowArray& array, const std::shared_ptr<const void>& batch,
                   Reader& reader, io::Column& column) {
  if (reader.number != nullptr && column.numbers.empty() && shareable(field, array)) {
    const double* values = static_cast<const double*>(array.buffers[1]) + array.offset;
    column.numbers = io::Numbers::shared(batch, {values, static_cast<std::size_t>(array.length)});
  } else if (reader.number != nullptr) {
    reader.number(array, column.numbers.edit());
  } else if (reader.category) {
    append_category(field, array, reader.levels, column);
  } else {
    for (std::int64_t i = 0; i < array.length; ++i) {
      column.codes.push_back(present(array, i) ? reader.levels.code(reader.text(array, i), column) : -1);
    }
  }
}

void check(int status, ArrowArrayStream& stream) {
  if (status == 0) return;
  const char* text = stream.get_last_error != nullptr ? stream.get_last_error(&stream) : nullptr;
  throw nb::value_error(fmt::format("Arrow stream: {}", text != nullptr ? text : std::strerror(status)).c_str());
}

}  // namespace

io::Table table_of_stream(nb::handle capsule) {
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_IsValid(capsule.ptr(), "arrow_array_stream") != 0
                                                    ? PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream")
                                                    : nullptr);
  if (stream == nullptr || stream->release == nullptr) {
    throw nb::type_error("__arrow_c_stream__ gave no stream of Arrow's that is still to be read");
  }
  Owned<ArrowSchema> schema;
  check(stream->get_schema(stream, &schema.value), *stream);
  if (std::string_view(schema.value.format) != "+s") {
    throw nb::type_error("Arrow stream: a table is expected, not a single column");
  }
  io::Table table;
  std::vector<Reader> readers;
  for (std::int64_t i = 0; i < schema.value.n_children; ++i) {
    const ArrowSchema& field = *schema.value.children[i];
    readers.push_back(reader_of(field));
    io::Column column;
    column.name = field.name != nullptr ? field.name : "";
    column.text = readers.back().number == nullptr;
    if (table.find(column.name) >= 0) {
      throw nb::value_error(fmt::format("two columns are named '{}'; rename one", column.name).c_str());
    }
    table.columns.push_back(std::move(column));
  }
  while (true) {
    const auto owner = std::make_shared<Owned<ArrowArray>>();
    const ArrowArray& batch = owner->value;
    check(stream->get_next(stream, &owner->value), *stream);
    if (batch.release == nullptr) break;
    for (std::size_t i = 0; i < readers.size(); ++i) {
      ArrowArray part = *batch.children[i];  // a batch that was cut out of another has an offset of its own
      part.offset += batch.offset;
      part.length = batch.length;
      append_column(*schema.value.children[i], part, owner, readers[i], table.columns[i]);
    }
    table.rows += batch.length;
  }
  return table;
}

}  // namespace pellucid::python
