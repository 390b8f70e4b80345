// Assessments as JSON.
#include "report.h"

namespace pellucid::cli {
namespace {

using Line = nlohmann::ordered_json;

Line json_of(const Estimate& estimate) {
  Line json = {{"value", estimate.value}};
  if (estimate.interval) json["interval"] = {estimate.interval->low, estimate.interval->high};
  return json;
}

Line json_of(const Curve& curve) { return {{"area", curve.area}, {"x", curve.x}, {"y", curve.y}}; }

Line classes_json(const Assessed& assessed, const Model& model) {
  Line list = Line::array();
  for (std::size_t i = 0; i < assessed.values.classes.size(); ++i) {
    const ClassAssessment& c = assessed.values.classes[i];
    list.push_back({{"class", model.target.classes[i]},
                    {"rows", c.rows},
                    {"predicted", c.predicted},
                    {"precision", json_of(c.precision)},
                    {"recall", json_of(c.recall)},
                    {"f1", json_of(c.f1)}});
  }
  return list;
}

Line reliability_json(const Assessment& values) {
  Line list = Line::array();
  for (const ReliabilityBin& bin : values.reliability) {
    Line line = {{"low", bin.low}, {"high", bin.high}, {"rows", bin.rows}};
    if (bin.rows > 0) {
      line["mean_probability"] = bin.mean_probability;
      line["share"] = json_of(bin.share);
    }
    list.push_back(std::move(line));
  }
  return list;
}

Line residuals_json(const Residuals& residuals) {
  return {{"mean", residuals.mean},
          {"deviation", residuals.deviation},
          {"quantiles",
           {{"5", residuals.quantiles[0]},
            {"25", residuals.quantiles[1]},
            {"50", residuals.quantiles[2]},
            {"75", residuals.quantiles[3]},
            {"95", residuals.quantiles[4]}}},
          {"histogram", {{"edges", residuals.edges}, {"counts", residuals.counts}}},
          {"pairs", {{"predicted", residuals.predicted}, {"truth", residuals.truth}}}};
}

Line importance_json(const ImportanceFound& found) {
  Line columns = Line::array();
  for (const Importance& importance : found.columns) {
    Line line = {{"column", importance.column}};
    for (std::size_t m = 0; m < found.measures.size(); ++m) {
      line[found.measures[m]] = {{"rise", importance.rise[m]}, {"deviation", importance.deviation[m]}};
    }
    columns.push_back(std::move(line));
  }
  return {{"rows", found.rows}, {"repeats", found.repeats}, {"columns", columns}};
}

}  // namespace

Line to_json(const Assessed& assessed) {
  Line metrics = Line::object(), intervals = Line::object(), baseline = Line::object();
  for (const AssessedMetric& metric : assessed.values.metrics) {
    if (metric.model) metrics[metric.name] = metric.model->value;
    if (metric.model && metric.model->interval) {
      intervals[metric.name] = {metric.model->interval->low, metric.model->interval->high};
    }
    if (metric.baseline) baseline[metric.name] = *metric.baseline;
  }
  Line json = {{"metrics", metrics}, {"intervals", intervals}, {"baseline", baseline}};
  if (!assessed.values.confusion.empty()) {
    Line& rows = json["confusion"] = Line::array();
    for (const auto& row : assessed.values.confusion) {
      Line line = Line::array();
      for (const double count : row) line.push_back(std::llround(count));
      rows.push_back(std::move(line));
    }
  }
  return json;
}

Line to_full_json(const Assessed& assessed, const Model& model) {
  const Assessment& values = assessed.values;
  Line json = to_json(assessed);
  json["interval_level"] = values.level;
  json["baseline_is"] = assessed.baseline;
  if (!values.classes.empty()) json["by_class"] = classes_json(assessed, model);
  if (!values.reliability.empty()) json["reliability"] = reliability_json(values);
  if (values.roc) json["roc"] = json_of(*values.roc);
  if (values.precision_recall) json["precision_recall"] = json_of(*values.precision_recall);
  if (values.residuals) json["residuals"] = residuals_json(*values.residuals);
  if (!assessed.importance.columns.empty()) json["importance"] = importance_json(assessed.importance);
  return json;
}

}  // namespace pellucid::cli
