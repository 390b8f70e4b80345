// fit_table by roles, and cross-validation: what is held out is never learned from.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "pellucid/tabular.h"
#include "support/message.h"

namespace pellucid {
namespace {

// y follows from x; rows come in groups of three, and later ones are newer.
io::Table small_table(int rows = 60) {
  std::string text = "x,z,who,day,w,y\n";
  for (int i = 0; i < rows; ++i) {
    const int x = i * 7 % 10;
    text += std::to_string(x) + "," + std::to_string(i * 13 % 17) + ",p" + std::to_string(i / 3) + "," +
            std::to_string(2000 + i) + "," + std::to_string(1 + i % 2) + "," + (x < 5 ? "low" : "high") + "\n";
  }
  return io::parse_csv(text, {}, "small.csv");
}

TableOptions quick() {
  TableOptions options;
  options.hidden = std::vector<std::int64_t>{4};
  options.epochs = 3;
  return options;
}

TEST(Roles, GroupsAreHeldOutWhole) {
  const io::Table table = small_table();
  TableOptions options = quick();
  options.group = "who";
  options.test = 0.2;
  const TableFit fit = fit_table(table, "y", options);
  EXPECT_EQ(fit.validation.rows.size() + fit.test.rows.size(), 21U);  // a fifth of 60, then a fifth of 48, in threes
  std::set<std::int64_t> groups;
  for (const data::Rows& rows : {fit.validation.rows, fit.test.rows}) {
    EXPECT_EQ(rows.size() % 3, 0U);
    for (const std::int64_t row : rows) groups.insert(row / 3);
  }
  EXPECT_EQ(groups.size(), 7U);
  EXPECT_EQ(fit.model.preprocessing.dropped,
            (std::vector<std::pair<std::string, std::string>>{{"who", "is to be ignored"}}));
}

TEST(Roles, TheNewestRowsAreHeldOut) {
  TableOptions options = quick();
  options.time_column = "day";
  options.validation = 0.25;
  options.test = 0.1;
  const TableFit fit = fit_table(small_table(), "y", options);
  EXPECT_EQ(fit.test.rows, (data::Rows{54, 55, 56, 57, 58, 59}));
  EXPECT_EQ(fit.validation.rows.front(), 40);
  EXPECT_EQ(fit.validation.rows.size(), 14U);
}

TEST(Roles, TheSchemaNamesThem) {
  const io::Table table = small_table();
  data::Schema schema = data::find_schema(table, "y");
  for (data::ColumnSchema& column : schema.columns) {
    if (column.name == "who") column.role = data::Role::kGroup;
    if (column.name == "w") column.role = data::Role::kWeight;
    if (column.name == "day") column.role = data::Role::kIgnore;
  }
  TableOptions options = quick();
  options.schema = schema;
  TableOptions by_hand = quick();
  by_hand.group = "who";
  by_hand.ignore = {"day", "w"};
  by_hand.validation = 0.2;
  for (int i = 0; i < 60; ++i) by_hand.sample_weights.push_back(1 + i % 2);
  const TableFit a = fit_table(table, "y", options), b = fit_table(table, "y", by_hand);
  EXPECT_EQ(a.validation.rows, b.validation.rows);
  EXPECT_EQ(a.validation.output.to_vector<float>(), b.validation.output.to_vector<float>());
}

TEST(Roles, SayWhatDoesNotFit) {
  const io::Table table = small_table();
  const auto refused = [&](const auto& change) {
    TableOptions options = quick();
    change(options);
    return message_of([&] { fit_table(table, "y", options); });
  };
  EXPECT_EQ(refused([](TableOptions& o) { o.group = "who", o.time_column = "day"; }),
            "group: rows are held out by groups ('who') or by time ('day'), not by both; leave one out");
  EXPECT_EQ(refused([](TableOptions& o) { o.group = "y"; }),
            "group 'y' is what is to be predicted; name another column");
  EXPECT_EQ(refused([](TableOptions& o) { o.time_column = "when"; }).substr(0, 42),
            "table 'small.csv': no column 'when'; there");
  EXPECT_EQ(refused([](TableOptions& o) { o.weight = "who"; }),
            "weight: column 'who' holds text ('p0'), and weights are numbers; correct it");
  EXPECT_EQ(refused([](TableOptions& o) { o.weight = "w", o.sample_weights.assign(60, 1); }),
            "weight: 'w' is a column of weights, and sample_weights are given too; leave one out");
  EXPECT_EQ(refused([](TableOptions& o) { o.test_rows = {60}; }), "test_rows: there is no row 60 in a table of 60");
  EXPECT_EQ(refused([&](TableOptions& o) { o.schema = data::find_schema(table, "x"); }),
            "target: the schema says 'x', and 'y' is to be predicted; change one of them");
  io::Table light = table;
  light.columns[4].numbers.edit()[3] = -1;
  TableOptions weighted = quick();
  weighted.weight = "w";
  EXPECT_EQ(message_of([&] { fit_table(light, "y", weighted); }),
            "weight: column 'w', row 4: -1 must be finite and not below 0");
  light.columns[4].numbers.edit()[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of([&] { fit_table(light, "y", weighted); }),
            "weight: column 'w', row 4: a missing weight must be finite and not below 0");
}

TEST(Warnings, AreInThePlanAndTheRecord) {
  const io::Table table = small_table(100);
  std::vector<std::string> warnings;
  TableOptions options = quick();
  options.ignore = {"day"};
  options.validation = 0.2;
  options.on_plan = [&](const TablePlan& plan) { warnings = plan.warnings; };
  const TableFit leaky = fit_table(table, "y", options);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(
      warnings[0],
      "column 'x' alone predicts 'y' almost perfectly (100 % of the baseline's error is gone); if it is known only "
      "when the target is, ignore it");
  EXPECT_EQ(nlohmann::json::parse(leaky.model.record)["data"]["warnings"][0], warnings[0]);
  options.ignore = {"x", "who", "day", "w"};  // z takes 17 values, each with both answers
  fit_table(table, "y", options);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(
      contains(warnings[0], "of the 20 rows held out are in training too, with the same target; the metrics are"))
      << warnings[0];
}

TEST(Warnings, RowsThatAreThereTwice) {
  // Where each network leaves out a part, another has learned from the row's equal.
  std::string text = "a,b,y\n";
  for (int i = 0; i < 90; ++i)
    text += std::to_string(i % 85) + "," + std::to_string(i % 85 * 7 % 13) + "," + std::to_string(i % 85 * 0.5) + "\n";
  const io::Table table = io::parse_csv(text);
  std::vector<std::string> warnings;
  TableOptions options = quick();
  options.on_plan = [&](const TablePlan& plan) { warnings = plan.warnings; };
  fit_table(table, "y", options);
  ASSERT_FALSE(warnings.empty());
  EXPECT_EQ(warnings.back(),
            "10 of the 90 training rows are there more than once, with the same target, so that networks have learned "
            "from rows that they left out; the metrics are too good by them: remove rows that are there twice, or hold "
            "them out by a group");
  options.fast = true;
  fit_table(table, "y", options);
  for (const std::string& warning : warnings) EXPECT_FALSE(contains(warning, "more than once")) << warning;
}

TEST(Folds, PredictEachRowByModelsThatHaveNotSeenIt) {
  const io::Table table = small_table();
  TableOptions options = quick();
  options.seed = 3;
  int seen = 0;
  const FoldsFit folds = fit_folds(table, "y", 4, options, [&](int fold, const TableFit& fit) {
    EXPECT_EQ(fold, seen++);
    EXPECT_EQ(fit.test.rows.size(), 15U);
  });
  EXPECT_EQ(seen, 4);
  EXPECT_EQ(folds.rows, data::all_rows(60));
  ASSERT_EQ(folds.predictions.rows, 60);
  // The same as asking each model.
  for (std::size_t f = 0; f < 4; ++f) {
    TableModel model = folds.fits[f].model;
    const io::Table said = model.predict_table(table);
    for (const std::int64_t row : folds.fits[f].test.rows) {
      EXPECT_EQ(folds.fold[static_cast<std::size_t>(row)], static_cast<int>(f));
      for (std::size_t c = 0; c < said.columns.size(); ++c) {
        EXPECT_EQ(folds.predictions.columns[c].field(row), said.columns[c].field(row));
      }
    }
  }
  const io::Table out = out_of_fold_table(folds, table, "y");
  std::vector<std::string> names;
  for (const io::Column& column : out.columns) names.push_back(column.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"row", "fold", "y", "predicted y", "probability_high", "probability_low"}));
  EXPECT_EQ(out.columns[0].field(59), "60");
  EXPECT_EQ(out.columns[2].field(1), table.at("y").field(1));
}

TEST(Folds, KeepGroupsWholeAndLeaveRowsWithoutATargetOut) {
  io::Table table = small_table();
  table.columns[5].codes[10] = -1;
  TableOptions options = quick();
  options.group = "who";
  const FoldsFit folds = fit_folds(table, "y", 3, options);
  EXPECT_EQ(folds.rows.size(), 59U);
  for (std::size_t i = 0; i + 1 < folds.rows.size(); ++i) {
    if (folds.rows[i] / 3 == folds.rows[i + 1] / 3) {
      EXPECT_EQ(folds.fold[i], folds.fold[i + 1]);
    }
  }
  EXPECT_EQ(out_of_fold_table(folds, table, "y").columns[0].field(10), "12");
}

TEST(Folds, SayWhatDoesNotFit) {
  TableOptions options = quick();
  options.time_column = "day";
  EXPECT_EQ(message_of([&] { fit_folds(small_table(), "y", 3, options); }),
            "folds: rows are ordered by 'day', and folds are not; leave it out");
  options = quick();
  options.test = 0.2;
  EXPECT_EQ(message_of([&] { fit_folds(small_table(), "y", 3, options); }),
            "test: each row is held out by a fold, so that no others are kept for a test; leave it out");
}

}  // namespace
}  // namespace pellucid
