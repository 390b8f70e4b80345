// Rows by their roles.
#include "tables/rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/text.h"
#include "pellucid/checks.h"
#include "tables/recipe.h"

namespace pellucid::tables {
namespace {

using io::shown;

data::Split split_part(const io::Table& table, const data::Rows& rows, double share, std::uint64_t seed,
                       const std::vector<std::int32_t>& classes, const TableOptions& options) {
  if (!options.time_column.empty()) return data::split_newest(rows, share, data::times_of(table, options.time_column));
  if (!options.group.empty()) return data::split_groups(rows, share, seed, data::groups_of(table, options.group));
  return data::split(rows, share, seed, classes);
}

void take_role(const data::Schema& schema, data::Role role, std::string& column) {
  if (column.empty()) column = schema.with_role(role);
}

std::vector<double> weights_in(const io::Table& table, const std::string& name) {
  const io::Column& column = table.at(name);
  if (column.text) {
    misfit("weight: column '{}' holds text ('{}'), and weights are numbers; correct it", shown(name),
           shown(column.levels.front()));
  }
  for (std::size_t i = 0; i < column.numbers.size(); ++i) {
    if (!(column.numbers[i] >= 0 && std::isfinite(column.numbers[i]))) {
      misfit("weight: column '{}', row {}: {} must be finite and not below 0", shown(name), i + 1,
             std::isnan(column.numbers[i]) ? "a missing weight" : io::to_text(column.numbers[i]));
    }
  }
  return column.numbers.to_vector();
}

}  // namespace

TableOptions with_roles(const io::Table& table, const std::string& target, TableOptions options) {
  if (options.schema) {
    const data::Schema& schema = *options.schema;
    const std::string named = schema.with_role(data::Role::kTarget);
    if (!named.empty() && named != target) {
      misfit("target: the schema says '{}', and '{}' is to be predicted; change one of them", shown(named),
             shown(target));
    }
    take_role(schema, data::Role::kGroup, options.group);
    take_role(schema, data::Role::kTime, options.time_column);
    take_role(schema, data::Role::kWeight, options.weight);
    const data::ColumnSchema* column = schema.find(target);
    const bool texts = column != nullptr &&
                       (column->type == data::ColumnType::kCategory || column->type == data::ColumnType::kBoolean);
    if (texts && !options.task) options.task = data::Task::kClassification;
  }
  if (!options.weight.empty()) {
    if (!options.sample_weights.empty()) {
      misfit("weight: '{}' is a column of weights, and sample_weights are given too; leave one out",
             shown(options.weight));
    }
    options.sample_weights = weights_in(table, options.weight);
  }
  if (!options.group.empty() && !options.time_column.empty()) {
    misfit("group: rows are held out by groups ('{}') or by time ('{}'), not by both; leave one out",
           shown(options.group), shown(options.time_column));
  }
  const std::pair<const char*, std::string> columns[] = {
      {"group", options.group}, {"time_column", options.time_column}, {"weight", options.weight}};
  for (const auto& [option, name] : columns) {
    if (name.empty()) continue;
    table.at(name);
    if (name == target) misfit("{} '{}' is what is to be predicted; name another column", option, shown(name));
    const data::ColumnSchema* column = options.schema ? options.schema->find(name) : nullptr;
    if (column == nullptr || column->role == data::Role::kInput) options.ignore.push_back(name);
    if (!options.validation && name != options.weight) options.validation = 0.2;
  }
  return options;
}

RowParts split_rows(const io::Table& table, const data::Rows& rows, const std::vector<std::int32_t>& classes,
                    const TableOptions& options, double validation) {
  RowParts parts{.training = rows, .validation = {}, .test = {}};
  if (!options.test_rows.empty()) {
    std::vector<bool> test(static_cast<std::size_t>(table.rows));
    for (const std::int64_t row : options.test_rows) {
      if (row < 0 || row >= table.rows) misfit("test_rows: there is no row {} in a table of {}", row, table.rows);
      test[static_cast<std::size_t>(row)] = true;
    }
    parts.training.clear();
    for (const std::int64_t row : rows)
      (test[static_cast<std::size_t>(row)] ? parts.test : parts.training).push_back(row);
  } else if (options.test > 0) {
    data::Split split = split_part(table, rows, options.test, options.seed + 1, classes, options);
    parts.test = std::move(split.held_out);
    parts.training = std::move(split.training);
  }
  if (validation > 0) {
    data::Split split = split_part(table, parts.training, validation, options.seed, classes, options);
    parts.validation = std::move(split.held_out);
    parts.training = std::move(split.training);
  }
  return parts;
}

std::vector<std::string> warnings_of(const data::Preprocessing& preprocessing, const io::Table& table,
                                     const RowParts& parts, bool folds) {
  std::vector<std::string> warnings;
  for (const data::Leak& leak : data::find_leaks(preprocessing, table, parts.training)) {
    warnings.push_back(base::format(
        "column '{}' alone predicts '{}' almost perfectly ({} % of the baseline's error is gone); if it is "
        "known only when the target is, ignore it",
        shown(leak.column), shown(preprocessing.target.name), std::floor(leak.score * 1000) / 10));
  }
  data::Rows held_out = parts.validation;
  held_out.insert(held_out.end(), parts.test.begin(), parts.test.end());
  const std::int64_t twice = data::count_duplicates(preprocessing, table, parts.training, held_out);
  if (100 * twice >= static_cast<std::int64_t>(held_out.size()) && twice > 0) {
    warnings.push_back(
        base::format("{} of the {} rows held out {} in training too, with the same target; the metrics are too good by "
                     "them: remove rows that are there twice, or hold them out by a group",
                     twice, held_out.size(), twice == 1 ? "is" : "are"));
  }
  const auto count = static_cast<std::int64_t>(parts.training.size());
  const std::int64_t repeated = folds ? data::count_repeated(preprocessing, table, parts.training) : 0;
  if (50 * repeated >= count && repeated > 0) {  // a hundredth is there once more
    warnings.push_back(base::format(
        "{} of the {} training rows are there more than once, with the same target, so that networks have learned "
        "from rows that they left out; the metrics are too good by them: remove rows that are there twice, or hold "
        "them out by a group",
        repeated, count));
  }
  return warnings;
}

}  // namespace pellucid::tables
