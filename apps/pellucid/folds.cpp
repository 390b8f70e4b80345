// train --folds.
#include "folds.h"

#include <cmath>
#include <numeric>

#include "assess.h"
#include "pellucid/io.h"
#include "pellucid/metrics.h"
#include "report.h"

namespace pellucid::cli {
namespace {

using Named = std::vector<std::pair<std::string, double>>;

Named metrics_of(const TableFit& fit) {
  const TablePart& part = fit.test;
  if (fit.model.classifies()) {
    return {{"accuracy", metrics::accuracy(part.output, part.y)}, {"log_loss", metrics::log_loss(part.output, part.y)}};
  }
  const Array said = predicted_numbers(fit.model.target(), slice(part.output, 1, 0, 1));
  const Array truth = true_numbers(fit.model.target(), part.y);
  return {{"root_mean_squared_error", metrics::root_mean_squared_error(said, truth)}, {"r2", metrics::r2(said, truth)}};
}

}  // namespace

Json run_folds(const TrainOptions& options, const io::Table& table, const std::string& target,
               const TableOptions& fitting) {
  const bool people = !options.quiet && !options.json;
  std::vector<Named> each;
  Model model;  // its target names the metrics
  TableOptions own = fitting;
  own.checkpoint = {};
  own.on_plan = {};
  own.on_epoch = {};
  own.on_progress = {};
  if (people) say("{} folds:\n", options.folds);
  flush();
  const FoldsFit folds = fit_folds(table, target, options.folds, own, [&](int fold, const TableFit& fit) {
    each.push_back(metrics_of(fit));
    model.target = fit.model.target();
    if (options.json) {
      nlohmann::ordered_json line = {{"event", "fold"}, {"fold", fold + 1}, {"rows", fit.test.rows.size()}};
      for (const auto& [name, value] : each.back()) line[name] = value;
      print_json(line);
    } else if (people) {
      std::string text;
      for (const auto& [name, value] : each.back()) {
        text += fmt::format("  {} {}", metric_label(name, model), metric_text(name, value));
      }
      say("  fold {}/{}{}, {} held out\n", fold + 1, options.folds, text,
          counted(static_cast<std::int64_t>(fit.test.rows.size()), "row", "rows"));
      flush();
    }
  });
  if (folds.signal != 0) throw Interrupted(folds.signal, "interrupted in the folds; no model was written");
  Json record = {{"folds", options.folds}};
  std::string text;
  for (std::size_t m = 0; m < each.front().size(); ++m) {
    const std::string& name = each.front()[m].first;
    std::vector<double> values;
    for (const Named& fold : each) values.push_back(fold[m].second);
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const double deviation = std::sqrt(squares / (count - 1));
    record[name] = {{"mean", mean}, {"deviation", deviation}, {"each", values}};
    text +=
        fmt::format("  {} {} ± {}", metric_label(name, model), metric_text(name, mean), metric_text(name, deviation));
  }
  if (people) say("  all     {}, mean and deviation of the folds\n", text);
  if (!options.oof.empty()) {
    io::write_csv(options.oof, out_of_fold_table(folds, table, target));
    if (people) say("wrote {}: what each row's fold predicts\n", options.oof);
  }
  if (people) say("\n");
  return record;
}

}  // namespace pellucid::cli
