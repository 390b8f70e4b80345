// Tables of any size, piece by piece, whatever file they stand in.
#include <algorithm>
#include <optional>

#include "base/fail.h"
#include "base/thread_pool.h"
#include "io/table_file.h"
#include "pellucid/threads.h"

namespace pellucid::io {
namespace {

using base::fail;

class NpzPieces : public TablePieces {
 public:
  explicit NpzPieces(const std::string& path) : columns_(path), head_(columns_.read(0, 0)) {}
  const Table& head() const override { return head_; }
  bool next(Table& table) override {
    if (at_ >= columns_.rows()) return false;
    const std::int64_t end = std::min(at_ + kPieceRows, columns_.rows());
    table = columns_.read(at_, end);
    at_ = end;
    return true;
  }

 private:
  NpzColumns columns_;
  Table head_;
  std::int64_t at_ = 0;
};

}  // namespace

struct TableStream::Impl {
  std::string path;
  CsvOptions options;
  std::optional<CsvStream> csv;
  std::unique_ptr<TablePieces> pieces;
  std::vector<std::string> names;
  std::int64_t rows = 0;  // that were given

  bool next(std::vector<Table>& tables) {
    tables.clear();
    const auto most = static_cast<std::size_t>(std::max(threads(), 1));
    Table piece;
    while (tables.size() < most && pieces->next(piece)) {
      if (piece.rows > 0) tables.push_back(std::move(piece));
    }
    std::vector<std::int64_t> before;
    for (const Table& table : tables) {
      before.push_back(rows);
      rows += table.rows;
    }
    if (rows == 0) fail("read_table: '{}' has no rows; add at least one", path);
    base::parallel_for(static_cast<std::int64_t>(tables.size()), [&](std::int64_t i) {
      const auto k = static_cast<std::size_t>(i);
      settle_types(tables[k], options, before[k]);
    });
    return !tables.empty();
  }
};

TableStream::TableStream(const std::string& path, const CsvOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->options = options;
  const TableFile kind = table_file(path);
  if (kind == TableFile::kCsv) {
    impl_->csv.emplace(path, options);
    return;
  }
  if (kind == TableFile::kNpz) {
    impl_->pieces = std::make_unique<NpzPieces>(path);
  } else {
    impl_->pieces = arrow_pieces(path, kind);
  }
  for (const Column& column : impl_->pieces->head().columns) impl_->names.push_back(column.name);
}

TableStream::TableStream(TableStream&&) noexcept = default;
TableStream::~TableStream() = default;

const std::vector<std::string>& TableStream::columns() const {
  return impl_->csv ? impl_->csv->columns() : impl_->names;
}

bool TableStream::next(std::vector<Table>& tables) {
  return impl_->csv ? impl_->csv->next(tables) : impl_->next(tables);
}

std::string TableStream::place_of(std::int64_t row) {
  if (impl_->csv) return base::format("'{}', line {}", impl_->path, impl_->csv->line_of(row));
  return base::format("'{}', row {}", impl_->path, row + 1);
}

}  // namespace pellucid::io
