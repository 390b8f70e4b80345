// Tables in files of any kind.
#include "io/table_file.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <unordered_map>

#include "base/fail.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/text.h"

namespace pellucid::io {
namespace {

using base::fail;
using namespace std::string_view_literals;

bool named_npz(const std::string& path) {
  std::string end = path.substr(path.size() - std::min<std::size_t>(path.size(), 4));
  for (char& c : end) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return end == ".npz";
}

void make_text(Column& column) {
  std::unordered_map<std::string, std::int32_t> codes;
  column.text = true;
  for (std::size_t row = 0; row < column.numbers.size(); ++row) {
    const double x = column.numbers[row];
    if (x != x) {
      column.codes.push_back(-1);
      continue;
    }
    const auto [at, added] = codes.try_emplace(to_text(x), static_cast<std::int32_t>(column.levels.size()));
    if (added) column.levels.push_back(at->first);
    column.codes.push_back(at->second);
  }
  column.numbers = {};
}

}  // namespace

NpzColumns::NpzColumns(const std::string& path) : bytes_(map_file(path, "read_table")), path_(path) {
  arrays_ = parse_npz(bytes_.view(), path);
  if (arrays_.empty()) fail("read_table: '{}' holds no arrays; give one for each column", path);
  const std::string* first = nullptr;
  for (const auto& [name, raw] : arrays_) {
    const std::size_t axes = raw->shape.size();
    if (axes != 1 && axes != 2) {
      fail("read_table: '{}': array '{}' has shape {}, and columns have one axis or two; leave it out", path,
           shown(name), raw->shape);
    }
    if (first == nullptr) {
      first = &name;
      rows_ = raw->shape[0];
    }
    if (raw->shape[0] != rows_) {
      fail("read_table: '{}': array '{}' has {} rows, and '{}' has {}; give all columns one length", path, shown(name),
           raw->shape[0], shown(*first), rows_);
    }
  }
  const Table head = read(0, 0);
  for (std::size_t i = 0; i < head.columns.size(); ++i) {
    const std::string& name = head.columns[i].name;
    if (head.find(name) != static_cast<std::int64_t>(i)) {
      fail("read_table: '{}' has two columns '{}'; rename an array", path, shown(name));
    }
  }
}

Table NpzColumns::read(std::int64_t from, std::int64_t to) const {
  Table table;
  table.source = path_;
  table.rows = to - from;
  for (const auto& [name, raw] : arrays_) {
    const bool single = raw->shape.size() == 1;
    const std::int64_t width = single ? 1 : raw->shape[1], count = table.rows * width;
    const auto size = static_cast<std::int64_t>(size_of(raw->dtype));
    const Array part =
        Array::from_memory(raw->data + from * width * size, static_cast<std::size_t>(count), {count}, raw->dtype);
    const std::vector<double> values = part.to_vector<double>();
    for (std::int64_t c = 0; c < width; ++c) {
      Column& column = table.columns.emplace_back();
      column.name = single ? name : base::format("{}_{}", name, c);
      std::vector<double>& numbers = column.numbers.edit();
      numbers.resize(static_cast<std::size_t>(table.rows));
      for (std::int64_t row = 0; row < table.rows; ++row) {
        numbers[static_cast<std::size_t>(row)] = values[static_cast<std::size_t>(row * width + c)];
      }
    }
  }
  return table;
}

TableFile table_file(const std::string& path) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  // What can be read once alone keeps its first bytes for that.
  if (kind == std::filesystem::file_type::fifo || kind == std::filesystem::file_type::character) return TableFile::kCsv;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const char* remedy = errno == EACCES   ? "; change its permissions"
                         : errno == ENOENT ? "; check its name and folder"
                                           : "";
    fail("read_table: cannot open '{}': {}{}", path, base::errno_text(errno), remedy);
  }
  std::string head(8, '\0');
  file.read(head.data(), 8);
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (head.starts_with("PAR1"sv)) return TableFile::kParquet;
  if (head.starts_with("ARROW1"sv) || head.starts_with("\xff\xff\xff\xff"sv)) return TableFile::kArrow;
  return named_npz(path) ? TableFile::kNpz : TableFile::kCsv;
}

bool holds_columns(const std::string& path) {
  try {
    const FileBytes bytes = map_file(path, "read_table");
    const int axes = most_axes(bytes.view(), path);
    return axes == 1 || axes == 2;
  } catch (const Error&) {
    return false;
  }
}

void settle_types(Table& table, const CsvOptions& options, std::int64_t before) {
  for (Column& column : table.columns) {
    const auto is_in = [&](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), column.name) != names.end();
    };
    if (!column.text && is_in(options.text)) make_text(column);
    if (!column.text || !is_in(options.numeric)) continue;
    Column numbers;
    numbers.name = column.name;
    for (std::int64_t row = 0; row < column.size(); ++row) {
      double value = 0;
      const std::string field = column.field(row);
      if (column.missing(row)) {
        value = std::numeric_limits<double>::quiet_NaN();
      } else if (!parse_number(trim(field), '.', value)) {
        fail("read_table: '{}', row {}: '{}' in column '{}' is not a number; correct it, or leave it out", table.source,
             before + row + 1, shown(field), shown(column.name));
      }
      numbers.numbers.edit().push_back(value);
    }
    column = std::move(numbers);
  }
}

Table read_table(const std::string& path, const CsvOptions& options) {
  const TableFile kind = table_file(path);
  if (kind == TableFile::kCsv) return read_csv(path, options);
  Table table;
  if (kind == TableFile::kNpz) {
    const NpzColumns columns(path);
    table = columns.read(0, columns.rows());
  } else {
    table = read_arrow(path, kind);
  }
  if (table.rows == 0) fail("read_table: '{}' has no rows; add at least one", path);
  settle_types(table, options);
  return table;
}

}  // namespace pellucid::io
