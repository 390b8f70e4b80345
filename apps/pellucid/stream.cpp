// Streaming a table through a model.
#include "stream.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/fail.h"
#include "base/thread_pool.h"
#include "data/encode.h"
#include "pellucid/io.h"
#include "tables/recipe.h"
#include "terminal.h"

namespace pellucid::cli {
namespace {

// Rows that the network gets at once are a multiple of what its plan is compiled for, so that one plan serves.
constexpr std::size_t kPlan = 1024;

// What is read: the model's columns, and the target where it is asked for.
io::CsvOptions reading_for(const Model& model, const std::string& path, bool targets) {
  io::CsvOptions options = data::csv_options(model.table);
  const std::string& target = model.target.name;
  std::erase(options.text, target);
  if (targets) (model.target.text ? options.text : options.numeric).push_back(target);
  options.progress = reading_line(path);
  return options;
}

// Says early, and with all of the file's columns, which ones the model lacks.
void check_columns(const Model& model, const io::TableStream& stream, const std::string& path, bool targets) {
  io::Table table;
  table.source = path;
  for (const std::string& name : stream.columns()) table.columns.emplace_back().name = name;
  data::encode(model.table, table, {});
  if (targets) table.at(model.target.name);
}

// Says in which line a value is one that the model's schema refuses, if any is. `before`: rows of the file before
// these.
void check_values(const Model& model, const std::vector<io::Table>& tables, const std::vector<data::Rows>& rows,
                  std::int64_t before, io::TableStream& stream) {
  std::vector<std::optional<data::Breach>> breaches(tables.size());
  base::parallel_for(static_cast<std::int64_t>(tables.size()), [&](std::int64_t i) {
    const auto k = static_cast<std::size_t>(i);
    breaches[k] = data::find_breach(model.table.schema, tables[k], rows[k]);
  });
  for (std::size_t k = 0; k < tables.size(); before += tables[k++].rows) {
    if (!breaches[k]) continue;
    base::fail("{}: column '{}' {}; correct it, or train with another schema",
               stream.place_of(before + breaches[k]->row), breaches[k]->column, breaches[k]->what);
  }
}

// The target's values of all rows that have one, in one column.
class TargetValues {
 public:
  explicit TargetValues(const data::Target& target) {
    column_.name = target.name;
    column_.text = target.text;
  }
  void add(const io::Column& part, const data::Rows& rows) {
    for (const std::int64_t row : rows) {
      const auto i = static_cast<std::size_t>(row);
      if (!column_.text) {
        column_.numbers.edit().push_back(part.numbers[i]);
        continue;
      }
      const std::string& level = part.levels[static_cast<std::size_t>(part.codes[i])];
      const auto [at, added] = codes_.try_emplace(level, static_cast<std::int32_t>(column_.levels.size()));
      if (added) column_.levels.push_back(level);
      column_.codes.push_back(at->second);
    }
  }
  Array encode(const data::Target& target, const std::string& path) && {
    io::Table table;
    table.source = path;
    table.rows = column_.size();
    table.columns.push_back(std::move(column_));
    return data::encode_target(target, table, data::all_rows(table.rows));
  }

 private:
  io::Column column_;
  std::map<std::string, std::int32_t, std::less<>> codes_;
};

// Rows that are encoded and not predicted yet. Memory is not cleared, and is kept.
class Batch {
 public:
  explicit Batch(std::size_t width) : width_(width) {}
  std::size_t rows() const { return rows_; }
  float* row(std::size_t i) { return data_.get() + i * width_; }
  void resize(std::size_t rows) {
    if (rows > capacity_) {
      capacity_ = rows + rows / 4;
      std::unique_ptr<float[]> larger(new float[capacity_ * width_]);
      std::copy_n(data_.get(), rows_ * width_, larger.get());
      data_ = std::move(larger);
    }
    rows_ = rows;
  }
  /// Removes the first rows.
  void drop(std::size_t rows) {
    std::copy(row(rows), row(rows_), data_.get());
    rows_ -= rows;
  }

 private:
  std::size_t width_, rows_ = 0, capacity_ = 0;
  std::unique_ptr<float[]> data_;
};

void add_counts(std::map<std::string, std::int64_t>& sums,
                const std::vector<std::pair<std::string, std::int64_t>>& counts) {
  for (const auto& [column, rows] : counts) sums[column] += rows;
}

}  // namespace

Streamed stream_predictions(Model& model, const std::string& path, bool targets,
                            const std::function<void(const Array& input, const Array& output)>& sink) {
  if (data::recognise(path) != data::Source::kTable) {
    base::fail("'{}' holds pictures, and the model was trained on a table; give a CSV file", path);
  }
  io::TableStream stream(path, reading_for(model, path, targets));
  check_columns(model, stream, path, targets);
  const auto width = static_cast<std::size_t>(model.table.inputs());
  Streamed result;
  TargetValues values(model.target);
  std::map<std::string, std::int64_t> unseen, newly_missing;
  std::vector<io::Table> tables;
  Batch batch(width);
  tables::Outputs outputs(model.network, model.target.task);
  const auto predict_some = [&](bool all) {
    const std::size_t rows = all ? batch.rows() : batch.rows() - batch.rows() % kPlan;
    if (rows == 0) return;
    const Shape shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width)};
    const Array input = Array::from(std::span<const float>(batch.row(0), rows * width), shape);
    sink(input, outputs(input));
    batch.drop(rows);
  };
  while (stream.next(tables)) {
    std::vector<data::Rows> rows(tables.size());
    std::vector<std::size_t> at(tables.size());  // of each table's first row in the batch
    std::size_t end = batch.rows();
    for (std::size_t k = 0; k < tables.size(); ++k) {
      rows[k] = targets ? data::labelled_rows(tables[k], model.target.name) : data::all_rows(tables[k].rows);
      at[k] = end;
      end += rows[k].size();
    }
    check_values(model, tables, rows, result.rows + result.unlabelled, stream);
    batch.resize(end);
    std::vector<data::EncodedCounts> counts(tables.size());
    base::parallel_for(static_cast<std::int64_t>(tables.size()), [&](std::int64_t i) {
      const auto k = static_cast<std::size_t>(i);
      counts[k] = data::encode_rows(model.table, tables[k], rows[k], batch.row(at[k]));
    });
    for (std::size_t k = 0; k < tables.size(); ++k) {
      if (targets) values.add(tables[k].at(model.target.name), rows[k]);
      add_counts(unseen, counts[k].unseen);
      add_counts(newly_missing, counts[k].newly_missing);
      result.rows += static_cast<std::int64_t>(rows[k].size());
      result.unlabelled += tables[k].rows - static_cast<std::int64_t>(rows[k].size());
    }
    predict_some(false);
  }
  if (result.rows == 0) {
    base::fail("'{}': no row has a value in the target column '{}'; give rows with known targets", path,
               model.target.name);
  }
  predict_some(true);
  data::Encoded counts;
  for (const data::Feature& feature : model.table.features) {
    const auto name = [&](const auto& sums, auto& list) {
      const auto at = sums.find(feature.column);
      if (at != sums.end()) list.emplace_back(at->first, at->second);
    };
    name(unseen, counts.unseen);
    name(newly_missing, counts.newly_missing);
  }
  warn_of_values(model.table, counts, path);
  if (targets) result.y = std::move(values).encode(model.target, path);
  return result;
}

void stream_csv(Model& model, const std::string& path, const std::function<void(std::string_view text)>& write) {
  std::string header;
  stream_predictions(model, path, false, [&](const Array&, const Array& output) {
    const std::vector<float> values = output.to_vector<float>();
    const auto rows = static_cast<std::size_t>(output.shape()[0]);
    const std::size_t width = values.size() / rows;
    std::vector<std::string> texts((rows + kPlan - 1) / kPlan);
    base::parallel_for(static_cast<std::int64_t>(texts.size()), [&](std::int64_t i) {
      const std::size_t from = static_cast<std::size_t>(i) * kPlan, to = std::min(from + kPlan, rows);
      const std::span<const float> part(values.data() + from * width, (to - from) * width);
      texts[static_cast<std::size_t>(i)] = io::to_csv(data::decode_predictions(
          model.target, Array::from(part, {static_cast<std::int64_t>(to - from), static_cast<std::int64_t>(width)})));
    });
    // Each part begins with the header, which is written once.
    if (header.empty()) {
      io::Table none = data::decode_predictions(model.target, Array::from(std::span<const float>(values.data(), width),
                                                                          {1, static_cast<std::int64_t>(width)}));
      for (io::Column& column : none.columns) {
        column.numbers = {};
        column.codes.clear();
      }
      none.rows = 0;
      header = io::to_csv(none);
      write(header);
    }
    for (const std::string& text : texts) write(std::string_view(text).substr(header.size()));
  });
}

}  // namespace pellucid::cli
