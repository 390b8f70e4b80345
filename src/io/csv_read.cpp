// Reading CSV into columns. Columns are numbers until a field says otherwise; those that turn out to be text after many
// rows of numbers are read once more.
#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "io/csv_blocks.h"
#include "io/csv_dictionary.h"
#include "io/file.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;
using Is = BlockColumn::Is;

// What is kept of a column beside its values.
struct Gathered {
  std::int64_t markers = 0;  // fields that are missing in a column of numbers
  std::string marker;        // the first of them
  Dictionary dictionary;
};

class Assembly {
 public:
  explicit Assembly(CsvBlocks& blocks) : blocks_(blocks), gathered_(blocks.rules().columns.size()) {
    for (const ColumnRule& rule : blocks.rules().columns) {
      forced_.push_back(rule.as == TakeAs::kText);
      table_.columns.emplace_back().name = rule.name;
    }
    table_.source = blocks.rules().source;
  }

  Table read() {
    std::vector<ColumnRule>& rules = blocks_.rules().columns;
    while (blocks_.next()) append();
    table_.rows = blocks_.rows();
    if (table_.rows == 0) fail("read_csv: '{}' has a header and no rows; add at least one", table_.source);
    std::vector<std::size_t> late = blocks_.late();
    for (std::size_t c = 0; c < rules.size(); ++c) {
      const Numbers& numbers = table_.columns[c].numbers;
      const bool only_markers = rules[c].as == TakeAs::kNumbers && !rules[c].must_be_number &&
                                gathered_[c].markers > 0 &&
                                std::all_of(numbers.begin(), numbers.end(), [](double x) { return std::isnan(x); });
      if (only_markers) late.push_back(c);
    }
    if (!late.empty()) {
      for (ColumnRule& rule : rules) rule.as = TakeAs::kNothing;
      for (const std::size_t c : late) {
        rules[c].as = TakeAs::kText;
        table_.columns[c].numbers = {};
        gathered_[c] = {};
      }
      blocks_.rewind();
      while (blocks_.next()) append();
    }
    for (std::size_t c = 0; c < rules.size(); ++c) note(c);
    return std::move(table_);
  }

 private:
  void append() {
    // Columns grow by themselves; where the file is long, they get the memory at once.
    const bool first = blocks_.first_row() == 0 && blocks_.rows() > 0;
    const auto expected = static_cast<std::size_t>(blocks_.expected_rows());
    base::parallel_for(static_cast<std::int64_t>(table_.columns.size()), [&](std::int64_t i) {
      const auto c = static_cast<std::size_t>(i);
      const TakeAs as = blocks_.rules().columns[c].as;
      Column& column = table_.columns[c];
      if (as == TakeAs::kNumbers) {
        if (first) reserve(column.numbers.edit(), expected);
        for (const CsvBlock& block : blocks_.blocks()) append_numbers(column, gathered_[c], block, c);
      } else if (as == TakeAs::kText) {
        column.text = true;
        if (first) reserve(column.codes, expected);
        for (const CsvBlock& block : blocks_.blocks()) append_text(column, gathered_[c], block, c);
      }
    });
  }

  template <class T>
  static void reserve(std::vector<T>& values, std::size_t rows) {
    values.reserve(rows);
    base::prefer_large_pages(values.data(), rows * sizeof(T));
  }

  static void append_numbers(Column& column, Gathered& gathered, const CsvBlock& block, std::size_t c) {
    const BlockColumn& part = block.columns[c];
    std::vector<double>& numbers = column.numbers.edit();
    numbers.insert(numbers.end(), part.numbers.begin(), part.numbers.begin() + block.rows);
    if (gathered.markers == 0 && part.markers > 0) gathered.marker = part.marker;
    gathered.markers += part.markers;
  }

  static void append_text(Column& column, Gathered& gathered, const CsvBlock& block, std::size_t c) {
    const BlockColumn& part = block.columns[c];
    std::vector<std::int32_t> codes = {-1};  // behind that of a missing one
    for (const std::string_view level : part.levels) {
      const auto [code, added] = gathered.dictionary.code(level, column.levels);
      if (added) column.levels.emplace_back(level);
      codes.push_back(code);
    }
    const std::size_t before = column.codes.size();
    column.codes.resize(before + static_cast<std::size_t>(block.rows));
    std::transform(part.codes.begin(), part.codes.begin() + block.rows,
                   column.codes.begin() + static_cast<std::ptrdiff_t>(before),
                   [&codes](std::int32_t code) { return codes[static_cast<std::size_t>(code + 1)]; });
  }

  // What the reader decided and a person may want to know.
  void note(std::size_t c) {
    const Column& column = table_.columns[c];
    if (!column.text) {
      const Gathered& gathered = gathered_[c];
      if (gathered.markers > 0) {
        table_.notes.push_back(base::format("column '{}': fields such as '{}' are read as missing, {} in all",
                                            shown(column.name), shown(gathered.marker), gathered.markers));
      }
    } else if (!forced_[c]) {
      note_nearly_numeric(column);
    }
  }

  // A stray word in a column of numbers makes it text; whoever trains on it should hear so.
  void note_nearly_numeric(const Column& column) {
    std::vector<bool> numeric(column.levels.size());
    double value = 0;
    for (std::size_t i = 0; i < numeric.size(); ++i) numeric[i] = parse_number(trim(column.levels[i]), '.', value);
    std::int64_t numbers = 0, others = 0, first = -1;
    for (std::size_t row = 0; row < column.codes.size(); ++row) {
      const std::int32_t code = column.codes[row];
      if (code < 0) continue;
      const bool number = numeric[static_cast<std::size_t>(code)];
      ++(number ? numbers : others);
      if (!number && first < 0) first = static_cast<std::int64_t>(row);
    }
    if (others == 0 || numbers < 9 * others) return;
    table_.notes.push_back(
        base::format("column '{}' is text: {} of {} fields are not numbers, the first '{}' in line {}; correct them, "
                     "or name them as missing",
                     shown(column.name), others, numbers + others, shown(column.field(first)), blocks_.line_of(first)));
  }

  CsvBlocks& blocks_;
  std::vector<Gathered> gathered_;  // one for each column
  std::vector<bool> forced_;        // to be text by the options
  Table table_;
};

}  // namespace

Table read_all(CsvBlocks& blocks) { return Assembly(blocks).read(); }

Table parse_csv(std::string_view text, const CsvOptions& options, const std::string& source) {
  CsvBlocks blocks(CsvInput(text), options, source);
  return read_all(blocks);
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  CsvBlocks blocks(CsvInput::open(path), options, path);
  return read_all(blocks);
}

// ---- Streams --------------------------------------------------------------------------------------------------------

struct CsvStream::Impl {
  CsvBlocks blocks;
  std::vector<std::string> names;
  std::vector<std::size_t> taken;  // positions of the columns that are given
};

CsvStream::CsvStream(const std::string& path, const CsvOptions& options)
    : impl_(new Impl{CsvBlocks(CsvInput::open(path), options, path), {}, {}}) {
  std::vector<ColumnRule>& rules = impl_->blocks.rules().columns;
  for (std::size_t c = 0; c < rules.size(); ++c) {
    impl_->names.push_back(rules[c].name);
    if (rules[c].as == TakeAs::kNumbers && !rules[c].must_be_number) rules[c].as = TakeAs::kNothing;
    if (rules[c].as != TakeAs::kNothing) impl_->taken.push_back(c);
  }
}
CsvStream::CsvStream(CsvStream&&) noexcept = default;
CsvStream::~CsvStream() = default;

const std::vector<std::string>& CsvStream::columns() const { return impl_->names; }

bool CsvStream::next(std::vector<Table>& tables) {
  CsvBlocks& blocks = impl_->blocks;
  // The parser's memory went into the tables that were given last time.
  for (std::size_t k = 0; k < std::min(tables.size(), blocks.blocks().size()); ++k) {
    for (std::size_t i = 0; i < std::min(tables[k].columns.size(), impl_->taken.size()); ++i) {
      BlockColumn& part = blocks.blocks()[k].columns[impl_->taken[i]];
      std::swap(part.numbers, tables[k].columns[i].numbers.edit());
      std::swap(part.codes, tables[k].columns[i].codes);
    }
  }
  const std::int64_t before = blocks.rows();
  do {
    if (!blocks.next()) {
      tables.clear();
      if (before == 0) fail("read_csv: '{}' has a header and no rows; add at least one", blocks.rules().source);
      return false;
    }
  } while (blocks.rows() == before);
  tables.resize(blocks.blocks().size());
  base::parallel_for(static_cast<std::int64_t>(tables.size()), [&](std::int64_t k) {
    CsvBlock& block = blocks.blocks()[static_cast<std::size_t>(k)];
    Table& table = tables[static_cast<std::size_t>(k)];
    table.source = blocks.rules().source;
    table.rows = block.rows;
    table.columns.resize(impl_->taken.size());
    for (std::size_t i = 0; i < impl_->taken.size(); ++i) {
      const std::size_t c = impl_->taken[i];
      BlockColumn& part = block.columns[c];
      Column& column = table.columns[i];
      column.name = impl_->names[c];
      column.text = blocks.rules().columns[c].as == TakeAs::kText;
      const auto rows = static_cast<std::size_t>(block.rows);
      std::swap(part.numbers, column.numbers.edit());
      std::swap(part.codes, column.codes);
      column.numbers.edit().resize(column.text ? 0 : rows);
      column.codes.resize(column.text ? rows : 0);
      column.levels.assign(part.levels.begin(), part.levels.end());
    }
  });
  return true;
}

std::int64_t CsvStream::line_of(std::int64_t row) { return impl_->blocks.line_of(row); }

}  // namespace pellucid::io
