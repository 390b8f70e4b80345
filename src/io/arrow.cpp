// Parquet and Arrow IPC files by Arrow C++: built where PELLUCID_ARROW is on.
#ifdef PELLUCID_ARROW
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <parquet/arrow/reader.h>

#include <limits>
#include <memory>
#include <unordered_map>

#include "base/fail.h"
#include "io/arrow_part.h"
#include "io/text.h"

namespace pellucid::io {
namespace {

using base::fail;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

template <class T>
T checked(arrow::Result<T> result, const std::string& path) {
  if (!result.ok()) fail("read_table: '{}': {}; write it again", path, shown(result.status().message()));
  return std::move(result).ValueUnsafe();
}

void check(const arrow::Status& status, const std::string& path) {
  if (!status.ok()) fail("read_table: '{}': {}; write it again", path, shown(status.message()));
}

// The batches of a file of either kind, one after the other; none where there are no more.
class Batches {
 public:
  Batches(const std::string& path, TableFile kind) : path_(path) {
    if (kind == TableFile::kParquet) {
      open_parquet();
      return;
    }
    const auto file = checked(arrow::io::MemoryMappedFile::Open(path, arrow::io::FileMode::READ), path);
    const auto magic = checked(file->ReadAt(0, 6), path);
    if (magic->ToString() == "ARROW1") {
      file_ = checked(arrow::ipc::RecordBatchFileReader::Open(file), path);
    } else {
      check(file->Seek(0), path);
      stream_ = checked(arrow::ipc::RecordBatchStreamReader::Open(file), path);
    }
  }

  std::shared_ptr<arrow::Schema> schema() const { return file_ ? file_->schema() : stream_->schema(); }

  std::shared_ptr<arrow::RecordBatch> next() {
    if (!file_) return checked(stream_->Next(), path_);
    return at_ < file_->num_record_batches() ? checked(file_->ReadRecordBatch(at_++), path_) : nullptr;
  }

 private:
  // Pages are read as they are needed, and not a whole row group ahead.
  void open_parquet() {
    parquet::ReaderProperties reading = parquet::default_reader_properties();
    reading.enable_buffered_stream();
    parquet::ArrowReaderProperties batches;
    batches.set_batch_size(kPieceRows);
    batches.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    check(builder.OpenFile(path_, /*memory_map=*/false, reading), path_);
    parquet_ = checked(builder.properties(batches)->Build(), path_);
    stream_ = checked(parquet_->GetRecordBatchReader(), path_);
  }

  const std::string path_;
  std::unique_ptr<parquet::arrow::FileReader> parquet_;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file_;
  std::shared_ptr<arrow::RecordBatchReader> stream_;  // where there is no file_
  int at_ = 0;
};

// ---- Columns --------------------------------------------------------------------------------------------------------

std::string two_digits(std::int64_t x) { return (x < 10 ? "0" : "") + std::to_string(x); }

std::string clock_text(std::int64_t nanoseconds) {
  const std::int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;
  std::string text = two_digits(seconds / 3600) + ":" + two_digits(seconds / 60 % 60) + ":" + two_digits(seconds % 60);
  if (rest == 0) return text;
  std::string digits = std::to_string(rest);
  digits.insert(0, 9 - digits.size(), '0');
  digits.erase(digits.find_last_not_of('0') + 1);
  return text + "." + digits;
}

// The civil date of a day since 1970-01-01 (Howard Hinnant's algorithm).
std::string day_text(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097, day = days - era * 146097;
  const std::int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const std::int64_t of_year = day - (365 * year + year / 4 - year / 100), shifted = (5 * of_year + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  std::string years = std::to_string(year + era * 400 + (month <= 2 ? 1 : 0));
  if (years.size() < 4) years.insert(0, 4 - years.size(), '0');
  return years + "-" + two_digits(month) + "-" + two_digits(of_year - (153 * shifted + 2) / 5 + 1);
}

std::int64_t nanoseconds_of(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1000000000;
    case arrow::TimeUnit::MILLI:
      return 1000000;
    case arrow::TimeUnit::MICRO:
      return 1000;
    default:
      return 1;
  }
}

std::string moment_text(std::int64_t value, arrow::TimeUnit::type unit) {
  const std::int64_t in_day = 86400 * (1000000000 / nanoseconds_of(unit));
  const std::int64_t day = value / in_day - (value % in_day < 0 ? 1 : 0);
  const std::int64_t rest = (value - day * in_day) * nanoseconds_of(unit);
  return rest == 0 ? day_text(day) : day_text(day) + "T" + clock_text(rest);
}

// Fills one column from its chunks.
class Filler {
 public:
  Filler(Column& column, const std::string& path) : column_(column), path_(path) {}

  void add(const arrow::Array& array) {
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        return numbers<arrow::BooleanArray>(array);
      case arrow::Type::INT8:
        return numbers<arrow::Int8Array>(array);
      case arrow::Type::INT16:
        return numbers<arrow::Int16Array>(array);
      case arrow::Type::INT32:
        return numbers<arrow::Int32Array>(array);
      case arrow::Type::INT64:
        return numbers<arrow::Int64Array>(array);
      case arrow::Type::UINT8:
        return numbers<arrow::UInt8Array>(array);
      case arrow::Type::UINT16:
        return numbers<arrow::UInt16Array>(array);
      case arrow::Type::UINT32:
        return numbers<arrow::UInt32Array>(array);
      case arrow::Type::UINT64:
        return numbers<arrow::UInt64Array>(array);
      case arrow::Type::FLOAT:
        return numbers<arrow::FloatArray>(array);
      case arrow::Type::DOUBLE:
        return numbers<arrow::DoubleArray>(array);
      case arrow::Type::NA:
        for (std::int64_t i = 0; i < array.length(); ++i) column_.numbers.edit().push_back(kMissing);
        return;
      case arrow::Type::STRING:
        return texts<arrow::StringArray>(array,
                                         [](const auto& a, std::int64_t i) { return std::string(a.GetView(i)); });
      case arrow::Type::LARGE_STRING:
        return texts<arrow::LargeStringArray>(array,
                                              [](const auto& a, std::int64_t i) { return std::string(a.GetView(i)); });
      case arrow::Type::STRING_VIEW:
        return texts<arrow::StringViewArray>(array,
                                             [](const auto& a, std::int64_t i) { return std::string(a.GetView(i)); });
      case arrow::Type::DECIMAL128:
        return decimals<arrow::Decimal128Array>(array);
      case arrow::Type::DECIMAL256:
        return decimals<arrow::Decimal256Array>(array);
      case arrow::Type::DATE32:
        return texts<arrow::Date32Array>(array, [](const auto& a, std::int64_t i) { return day_text(a.Value(i)); });
      case arrow::Type::DATE64:
        return texts<arrow::Date64Array>(
            array, [](const auto& a, std::int64_t i) { return moment_text(a.Value(i), arrow::TimeUnit::MILLI); });
      case arrow::Type::TIMESTAMP: {
        const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
        return texts<arrow::TimestampArray>(
            array, [unit](const auto& a, std::int64_t i) { return moment_text(a.Value(i), unit); });
      }
      case arrow::Type::TIME32: {
        const auto unit = static_cast<const arrow::Time32Type&>(*array.type()).unit();
        return texts<arrow::Time32Array>(
            array, [unit](const auto& a, std::int64_t i) { return clock_text(a.Value(i) * nanoseconds_of(unit)); });
      }
      case arrow::Type::TIME64: {
        const auto unit = static_cast<const arrow::Time64Type&>(*array.type()).unit();
        return texts<arrow::Time64Array>(
            array, [unit](const auto& a, std::int64_t i) { return clock_text(a.Value(i) * nanoseconds_of(unit)); });
      }
      case arrow::Type::DICTIONARY:
        return dictionary(static_cast<const arrow::DictionaryArray&>(array));
      default:
        fail("read_table: '{}': column '{}' is of the type {}, which is neither numbers, text nor dates; leave it out",
             path_, shown(column_.name), array.type()->ToString());
    }
  }

 private:
  template <class A>
  void numbers(const arrow::Array& array) {
    const auto& typed = static_cast<const A&>(array);
    for (std::int64_t i = 0; i < typed.length(); ++i) {
      column_.numbers.edit().push_back(typed.IsNull(i) ? kMissing : static_cast<double>(typed.Value(i)));
    }
  }

  template <class A>
  void decimals(const arrow::Array& array) {
    const auto& typed = static_cast<const A&>(array);
    for (std::int64_t i = 0; i < typed.length(); ++i) {
      double value = kMissing;
      if (!typed.IsNull(i)) parse_number(typed.FormatValue(i), '.', value);
      column_.numbers.edit().push_back(value);
    }
  }

  template <class A, class F>
  void texts(const arrow::Array& array, F text) {
    column_.text = true;
    const auto& typed = static_cast<const A&>(array);
    for (std::int64_t i = 0; i < typed.length(); ++i)
      column_.codes.push_back(typed.IsNull(i) ? -1 : code(text(typed, i)));
  }

  // The values are decoded once, and their codes looked up for each row.
  void dictionary(const arrow::DictionaryArray& array) {
    Column values;
    values.name = column_.name;
    Filler(values, path_).add(*array.dictionary());
    column_.text = values.text;
    std::vector<std::int32_t> codes;
    for (const std::int32_t value : values.codes)
      codes.push_back(value < 0 ? -1 : code(values.levels[static_cast<std::size_t>(value)]));
    for (std::int64_t i = 0; i < array.length(); ++i) {
      const std::size_t at = array.IsNull(i) ? 0 : static_cast<std::size_t>(array.GetValueIndex(i));
      if (column_.text) {
        column_.codes.push_back(array.IsNull(i) ? -1 : codes.at(at));
      } else {
        column_.numbers.edit().push_back(array.IsNull(i) ? kMissing : values.numbers.at(at));
      }
    }
  }

  // An empty text is a missing one, as in CSV.
  std::int32_t code(std::string text) {
    if (text.empty()) return -1;
    const auto [at, added] = codes_.try_emplace(std::move(text), static_cast<std::int32_t>(column_.levels.size()));
    if (added) column_.levels.push_back(at->first);
    return at->second;
  }

  Column& column_;
  const std::string& path_;
  std::unordered_map<std::string, std::int32_t> codes_;
};

// Runs `read`; what Arrow throws is an Error of the file.
template <class F>
auto of_file(const std::string& path, F read) {
  try {
    return read();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail("read_table: '{}': {}; write it again", path, shown(error.what()));
  }
}

// Puts the rows of a batch behind those that the columns have.
void add(std::vector<Filler>& fillers, const arrow::RecordBatch& batch, const std::string& path) {
  check(batch.ValidateFull(), path);
  for (std::size_t c = 0; c < fillers.size(); ++c) fillers[c].add(*batch.column(static_cast<int>(c)));
}

// Of whole batches or, where they are large, of parts of them.
class ArrowPieces : public TablePieces {
 public:
  ArrowPieces(const std::string& path, TableFile kind)
      : path_(path), batches_(of_file(path, [&] { return std::make_unique<Batches>(path, kind); })) {
    head_.source = path;
    for (const auto& field : batches_->schema()->fields()) {
      if (head_.find(field->name()) >= 0)
        fail("read_table: '{}' has two columns '{}'; rename one", path, shown(field->name()));
      head_.columns.emplace_back().name = field->name();
    }
    for (const auto& field : batches_->schema()->fields()) {
      Column& column = head_.columns[static_cast<std::size_t>(head_.find(field->name()))];
      of_file(path, [&] { Filler(column, path).add(*checked(arrow::MakeEmptyArray(field->type()), path)); });
    }
  }

  const Table& head() const override { return head_; }

  bool next(Table& table) override {
    return of_file(path_, [&] {
      if (batch_ == nullptr || at_ >= batch_->num_rows()) {
        batch_ = batches_->next();
        at_ = 0;
      }
      if (batch_ == nullptr) return false;
      const auto part = batch_->Slice(at_, kPieceRows);
      at_ += part->num_rows();
      table = head_;
      table.rows = part->num_rows();
      std::vector<Filler> fillers = fillers_of(table, path_);
      add(fillers, *part, path_);
      return true;
    });
  }

  static std::vector<Filler> fillers_of(Table& table, const std::string& path) {
    std::vector<Filler> fillers;
    fillers.reserve(table.columns.size());
    for (Column& column : table.columns) fillers.emplace_back(column, path);
    return fillers;
  }

  /// All rows.
  Table read() {
    return of_file(path_, [&] {
      Table table = head_;
      std::vector<Filler> fillers = fillers_of(table, path_);
      while (const auto batch = batches_->next()) {
        table.rows += batch->num_rows();
        add(fillers, *batch, path_);
      }
      return table;
    });
  }

 private:
  std::string path_;
  std::unique_ptr<Batches> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::int64_t at_ = 0;  // in the batch
  Table head_;
};

}  // namespace

}  // namespace pellucid::io

extern "C" const pellucid::io::ArrowPart* pellucid_arrow_part() {
  using namespace pellucid::io;
  static const ArrowPart part = {
      [](const std::string& path, TableFile kind) -> std::unique_ptr<TablePieces> {
        return std::make_unique<ArrowPieces>(path, kind);
      },
      [](const std::string& path, TableFile kind) { return ArrowPieces(path, kind).read(); },
  };
  return &part;
}
#endif
