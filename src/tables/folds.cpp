// K-fold cross-validation: predictions for every row by models that have not seen it.
#include <algorithm>

#include "pellucid/tabular.h"
#include "tables/recipe.h"
#include "tables/rows.h"
#include "train/interrupt.h"

namespace pellucid {

using tables::misfit;

namespace {

std::vector<data::Split> make_folds(const io::Table& table, const std::string& target, const TableOptions& options,
                                    int count) {
  if (!options.time_column.empty())
    misfit("folds: rows are ordered by '{}', and folds are not; leave it out", options.time_column);
  const data::Rows rows = data::labelled_rows(table, target);
  if (!options.group.empty())
    return data::fold_groups(rows, count, options.seed, data::groups_of(table, options.group));
  const data::Target whole = data::fit_target(table, target, options.task, rows);
  return data::folds(rows, count, options.seed, data::class_numbers(whole, table));
}

}  // namespace

FoldsFit fit_folds(const io::Table& table, const std::string& target, int count, const TableOptions& options,
                   const std::function<void(int fold, const TableFit& fit)>& on_fold) {
  const TableOptions chosen = tables::with_roles(table, target, options);
  if (chosen.test > 0 || !chosen.test_rows.empty()) {
    misfit("test: each row is held out by a fold, so that no others are kept for a test; leave it out");
  }
  FoldsFit result;
  std::vector<io::Table> parts;
  const std::vector<data::Split> folds = make_folds(table, target, chosen, count);
  const train::InterruptScope interrupt(options.catch_interrupt);  // between two trainings too
  for (std::size_t f = 0; f < folds.size(); ++f) {
    TableOptions own = options;
    own.optimizer_states = nullptr;
    own.test_rows = folds[f].held_out;
    own.checkpoint = {};
    TableFit fit = fit_table(table, target, own);
    if (fit.training.reason == Reason::kInterrupted) {
      result.signal = fit.training.signal;
      return result;
    }
    parts.push_back(data::decode_predictions(fit.model.target(), fit.test.output));
    result.rows.insert(result.rows.end(), fit.test.rows.begin(), fit.test.rows.end());
    for (std::size_t i = 0; i < fit.test.rows.size(); ++i) result.fold.push_back(static_cast<int>(f));
    result.fits.push_back(std::move(fit));
    if (on_fold) on_fold(static_cast<int>(f), result.fits.back());
    result.signal = interrupt.signal();
    if (result.signal != 0) return result;
  }
  // Every fold knows the same classes, so that the columns are the same; rows go back to the table's order.
  std::vector<std::size_t> order(result.rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return result.rows[a] < result.rows[b]; });
  io::Table joined = parts.front();
  for (std::size_t p = 1; p < parts.size(); ++p) {
    for (std::size_t c = 0; c < joined.columns.size(); ++c) {
      io::Column& column = joined.columns[c];
      const io::Column& part = parts[p].columns[c];
      std::vector<double>& numbers = column.numbers.edit();
      numbers.insert(numbers.end(), part.numbers.begin(), part.numbers.end());
      column.codes.insert(column.codes.end(), part.codes.begin(), part.codes.end());
    }
  }
  joined.rows = static_cast<std::int64_t>(order.size());
  const auto reordered = [&](auto& values) {
    auto sorted = values;
    for (std::size_t i = 0; i < values.size(); ++i) sorted[i] = values[order[i]];
    values = std::move(sorted);
  };
  for (io::Column& column : joined.columns) {
    reordered(column.numbers.edit());
    reordered(column.codes);
  }
  reordered(result.rows);
  reordered(result.fold);
  result.predictions = std::move(joined);
  return result;
}

io::Table out_of_fold_table(const FoldsFit& folds, const io::Table& table, const std::string& target) {
  io::Table out = folds.predictions;
  io::Column row, fold, truth = table.at(target);
  row.name = "row";
  fold.name = "fold";
  for (const std::int64_t r : folds.rows) row.numbers.edit().push_back(static_cast<double>(r) + 1);
  for (const int f : folds.fold) fold.numbers.edit().push_back(f + 1);
  const auto chosen = [&](auto& values) {
    auto kept = values;
    kept.clear();
    if (values.empty()) return;
    for (const std::int64_t r : folds.rows) kept.push_back(values[static_cast<std::size_t>(r)]);
    values = std::move(kept);
  };
  chosen(truth.numbers.edit());
  chosen(truth.codes);
  out.columns.front().name = "predicted " + target;
  out.columns.insert(out.columns.begin(), {std::move(row), std::move(fold), std::move(truth)});
  return out;
}

}  // namespace pellucid
