// Targets: found, described, encoded, and predictions turned back into a table.
#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>
#include <limits>
#include <string>

#include "pellucid/data.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::Target;
using data::Task;

io::Table table_of(const std::string& text) { return io::parse_csv(text, {}, "x.csv"); }

// A table of one column y with these fields.
io::Table column(const std::vector<std::string>& fields) {
  std::string text = "y,other\n";
  for (const std::string& field : fields) text += field + ",1\n";
  return table_of(text);
}

Target fit(const io::Table& table, std::optional<Task> task = {}) {
  return data::fit_target(table, "y", task, data::all_rows(table.rows));
}

TEST(Target, IsGuessedByNameElseLast) {
  const auto guess = [](const std::string& header) {
    const auto commas = std::count(header.begin(), header.end(), ',');
    std::string text = header + "\n";
    for (const char* row : {"1", "2"}) {
      for (std::ptrdiff_t i = 0; i < commas; ++i) text += std::string(row) + ",";
      text += std::string(row) + "\n";
    }
    return data::guess_target(table_of(text)).name;
  };
  EXPECT_EQ(guess("a,Label,b"), "Label");
  EXPECT_EQ(guess("y,target,b"), "target");
  EXPECT_EQ(guess("labels,a,income"), "labels");
  EXPECT_EQ(guess("churn,female,tenure,total_charges"), "churn");
  EXPECT_EQ(guess("Status,Seniority,Home,Price"), "Status");
  EXPECT_EQ(guess("MS_SubClass,Sale_Price,Latitude"), "Sale_Price");
  EXPECT_EQ(guess("PassengerId,Survived,Pclass,Name,Embarked"), "Survived");
  EXPECT_EQ(guess("Lot_Area,Misc_Val,Sale_Condition,Sale_Price,Longitude,Latitude"), "Sale_Price");
  EXPECT_EQ(guess("Lot,SalePrice,Longitude,Latitude"), "SalePrice");
  EXPECT_EQ(guess("lot,unit_price,list_price,sale_price,x"), "x") << "three that could be it";
  EXPECT_EQ(guess("age,marital-status,sex,earns"), "earns");
  EXPECT_EQ(guess("id,loan_status,a,b"), "b") << "in the middle, a status may be anything";
  EXPECT_EQ(guess("id,a,b,loan status"), "loan status");
  EXPECT_EQ(data::guess_target(table_of("a,target,b\n1,1,2\n3,1,4\n")).name, "b") << "one that never changes";
  EXPECT_EQ(data::guess_target(table_of("a,label,b\n1,p,2\n3,q,4\n5,r,7\n")).name, "b") << "one that names its row";
  EXPECT_EQ(data::guess_target(table_of("a,b\n1,2\n")).reason, "the last column");
  EXPECT_EQ(data::guess_target(table_of("a,y,b\n1,2,3\n")).reason, "by its name");
  EXPECT_EQ(message_of([] { data::guess_target({}); }),
            "guess_target: the table has no columns; read one with a header");
}

TEST(Target, TaskIsGuessedFromItsValues) {
  const auto task = [](const io::Table& table) { return data::guess_task(table.at("y")); };
  EXPECT_EQ(task(column({"a", "b", "c"})), Task::kClassification);
  EXPECT_EQ(task(column({"0.5", "1.5", "0.5"})), Task::kClassification);
  EXPECT_EQ(task(column({"1", "2", "3"})), Task::kRegression);
  std::vector<std::string> few, many;
  for (int i = 0; i < 100; ++i) {
    few.push_back(std::to_string(i % 20));
    many.push_back(std::to_string(i % 21));
  }
  EXPECT_EQ(task(column(few)), Task::kClassification);
  EXPECT_EQ(task(column(many)), Task::kRegression);
  few[3] = "2.5";
  EXPECT_EQ(task(column(few)), Task::kRegression);
  EXPECT_EQ(data::name_of(Task::kClassification), "classification");
  EXPECT_EQ(data::name_of(Task::kRegression), "regression");
}

TEST(Target, ClassesAscendAsNumbersOrAsText) {
  EXPECT_EQ(fit(column({"10", "9", "", "10", "9"}), Task::kClassification).classes,
            (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(fit(column({"b", "a", "10", "9", "a"})).classes, (std::vector<std::string>{"10", "9", "a", "b"}));
  EXPECT_EQ(fit(column({"-0", "0", "1"}), Task::kClassification).classes, (std::vector<std::string>{"0", "1"}));
}

TEST(Target, EncodesClassesByTheirPlace) {
  const io::Table table = column({"b", "", "a", "c", "a"});
  const Target target = fit(table);
  EXPECT_EQ(data::labelled_rows(table, "y"), (data::Rows{0, 2, 3, 4}));
  EXPECT_EQ(data::class_numbers(target, table), (std::vector<std::int32_t>{1, -1, 0, 2, 0}));
  const Array y = data::encode_target(target, table, data::Rows{4, 0, 3});
  EXPECT_EQ(y.dtype(), DType::kInt64);
  EXPECT_EQ(y.shape(), Shape{3});
  EXPECT_EQ(y.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2}));
  // Another table, with other levels in another order.
  EXPECT_EQ(data::class_numbers(target, column({"c", "b"})), (std::vector<std::int32_t>{2, 1}));
}

TEST(Target, EncodesNumbersByTheTrainingRows) {
  const io::Table table = column({"1", "3", "", "5", "100.5"});
  const Target target = data::fit_target(table, "y", Task::kRegression, data::Rows{0, 1, 2, 3});
  EXPECT_EQ(target.mean, 3);
  EXPECT_DOUBLE_EQ(target.scale, std::sqrt(8.0 / 3));
  EXPECT_EQ(target.low, 1);
  EXPECT_EQ(target.high, 5);
  EXPECT_TRUE(data::class_numbers(target, table).empty());
  const Array y = data::encode_target(target, table, data::Rows{3, 4});
  EXPECT_EQ(y.dtype(), DType::kFloat32);
  EXPECT_EQ(y.shape(), (Shape{2, 1}));
  EXPECT_FLOAT_EQ(y.to_vector<float>()[0], static_cast<float>(2 / std::sqrt(8.0 / 3)));
  // A constant target has no spread to divide by.
  EXPECT_EQ(fit(column({"7", "7", "7"}), Task::kRegression).scale, 1);
}

TEST(Target, ALogScaleIsUndone) {
  const io::Table table = column({"1", "10", "100", "1000", ""});
  const Target target = data::fit_target(table, "y", Task::kRegression, data::Rows{0, 1, 2, 3, 4}, true);
  EXPECT_TRUE(target.is_log());
  EXPECT_NEAR(target.log_mean, 1.5 * std::log(10), 1e-12);
  EXPECT_NEAR(target.log_scale, std::sqrt(1.25) * std::log(10), 1e-12);
  EXPECT_EQ(target.mean, 277.75);
  const Array y = data::encode_target(target, table, data::Rows{0, 3});
  EXPECT_NEAR(y.to_vector<float>()[0], -1.5 / std::sqrt(1.25), 1e-6);
  const std::vector<double> back = data::in_units(target, y).to_vector<double>();
  EXPECT_NEAR(back[0], 1, 1e-6);
  EXPECT_NEAR(back[1], 1000, 1e-3);
  // The value is kept within the range of training, and its bounds are above 0.
  const io::Table said = data::decode_predictions(target, Array{{9, -3, 3}});
  EXPECT_EQ(said.at("y").numbers[0], 1000);
  EXPECT_NEAR(said.at("y_lower").numbers[0], std::exp(target.log_mean - 3 * target.log_scale), 1e-9);
  EXPECT_EQ(message_of([] {
              data::fit_target(column({"1", "0"}), "y", Task::kRegression, data::Rows{0, 1}, true);
            }),
            "target 'y' of 'x.csv' is 0 in row 2, which has no logarithm; train without log_target, or leave the row "
            "out");
  EXPECT_EQ(message_of([] {
              data::fit_target(column({"a", "b"}), "y", {}, data::Rows{0, 1}, true);
            }),
            "target 'y' of 'x.csv' is of classes, and a log scale is for numbers; leave log_target out");
  EXPECT_EQ(message_of([&] {
              data::encode_target(target, column({"3", "-2"}), data::Rows{0, 1});
            }),
            "target 'y' of 'x.csv' is -2 in row 2, and the model predicts its logarithm; correct it, or leave the row "
            "out");
}

TEST(Target, SkewnessTellsWhereALogScaleMayServe) {
  EXPECT_EQ(data::skewness(std::vector<double>{1, 2, 3}), 0);
  EXPECT_NEAR(data::skewness(std::vector<double>{0, 0, 0, 1, std::nan("")}), 1.1547005383792515, 1e-12);
  EXPECT_EQ(data::skewness(std::vector<double>{0, 5}), 0);
  EXPECT_EQ(data::skewness(std::vector<double>{4, 4, 4}), 0);
  std::vector<double> sizes;
  for (int i = 0; i < 100; ++i) sizes.push_back(std::exp2(i / 8.0));
  EXPECT_TRUE(data::suits_log(sizes));
  sizes.push_back(0);
  EXPECT_FALSE(data::suits_log(sizes)) << "0 has no logarithm";
  EXPECT_FALSE(data::suits_log(std::vector<double>{1, 2, 3, 4, 9})) << "not skewed enough";
}

TEST(Target, PredictionsBecomeATable) {
  const Target classes = fit(column({"no", "yes", "yes"}));
  const io::Table predicted = data::decode_predictions(classes, Array{{0.3, 0.7}, {0.5, 0.5}, {0.9, 0.1}});
  EXPECT_EQ(io::to_csv(predicted), "y,probability_no,probability_yes\nyes,0.3,0.7\nno,0.5,0.5\nno,0.9,0.1\n");
  const Target numbers = data::fit_target(column({"1", "3", "5"}), "y", Task::kRegression, data::Rows{0, 1, 2});
  const io::Table values = data::decode_predictions(numbers, Array{{0}, {100}, {-100}});
  EXPECT_EQ(io::to_csv(values), "y\n3\n5\n1\n");
  EXPECT_EQ(message_of([&] {
              data::decode_predictions(classes, Array{{1, 2, 3}});
            }),
            "decode_predictions: output [1, 3] does not fit classification 'y', which needs [rows, 2]");
  EXPECT_EQ(message_of([&] {
              data::decode_predictions(numbers, Array{1, 2});
            }),
            "decode_predictions: output [2] does not fit regression 'y', which needs [rows, 1]");
}

TEST(Target, SaysWhatCannotBeLearned) {
  const auto refused = [](const std::vector<std::string>& fields, std::optional<Task> task = {}) {
    return message_of([&] { fit(column(fields), task); });
  };
  EXPECT_EQ(message_of([] { data::fit_target(column({"1"}), "Y", {}, data::Rows{0}); }),
            "table 'x.csv': no column 'Y'; there are 'y', 'other'");
  EXPECT_EQ(message_of([] { data::labelled_rows(column({"1"}), "z"); }),
            "table 'x.csv': no column 'z'; there are 'y', 'other'");
  EXPECT_EQ(refused({"", ""}),
            "target 'y' of 'x.csv' is missing in every row to train on; fill it in, or choose another");
  EXPECT_EQ(refused({"a", "a"}),
            "target 'y' of 'x.csv' is 'a' in every row, so there is nothing to learn; choose another");
  EXPECT_EQ(
      refused({"a", "b", "c"}),
      "target 'y' of 'x.csv' has a class of its own in each of 3 rows; it looks like an identifier: choose another");
  EXPECT_EQ(refused({"1", "2", "3"}, Task::kClassification),
            "target 'y' of 'x.csv' has a class of its own in each of 3 rows; choose regression");
  EXPECT_EQ(
      refused({"1", "2", "x"}, Task::kRegression),
      "target 'y' of 'x.csv' is text ('x'), and regression predicts numbers; choose classification, or correct the "
      "column");
  EXPECT_EQ(
      refused({"1", "inf", "3"}, Task::kRegression),
      "target 'y' of 'x.csv' is inf in row 2, beyond what can be learned from; correct it, or leave the field empty");
  EXPECT_PRED2(contains, refused({"1", "-2e200", "3"}, Task::kRegression),
               "is -2e+200 in row 2, beyond what can be learned");
  EXPECT_EQ(message_of([] {
              data::fit_target(column({"1", "2"}), "y", {}, data::Rows{2});
            }),
            "fit_target: there is no row 2 in a table of 2; give positions from 0 to 1");
}

TEST(Target, SaysWhatCannotBeEncoded) {
  const auto refused = [](const Target& target, const std::vector<std::string>& fields) {
    return message_of([&] {
      const io::Table table = column(fields);
      data::encode_target(target, table, data::all_rows(table.rows));
    });
  };
  const Target classes = fit(column({"no", "yes", "yes"})),
               numbers = fit(column({"1", "3", "5", "7"}), Task::kRegression);
  EXPECT_EQ(refused(classes, {"no", ""}), "target 'y' of 'x.csv' is missing in row 2; leave such rows out");
  EXPECT_EQ(
      refused(classes, {"no", "yess"}),
      "target 'y' of 'x.csv': 'yess' in row 2 is none of the classes 'yes', 'no'; remove the row, or train with it");
  EXPECT_EQ(refused(numbers, {"1", "two"}),
            "target 'y' of 'x.csv' is text ('1'), and the model predicts numbers; correct the column");
  EXPECT_EQ(refused(numbers, {"1", "inf"}),
            "target 'y' of 'x.csv' is inf in row 2, beyond what can be predicted; correct it, or leave the row out");
  EXPECT_EQ(refused(numbers, {"1e300"}),
            "target 'y' of 'x.csv' is 1e+300 in row 1, beyond what can be predicted; correct it, or leave the row out");
  EXPECT_EQ(message_of([&] { data::encode_target(classes, table_of("a\n1\n"), data::Rows{0}); }),
            "table 'x.csv': no column 'y'; there are 'a'");
  EXPECT_EQ(message_of([&] { data::encode_target(classes, column({"no"}), data::Rows{1}); }),
            "encode_target: there is no row 1 in a table of 1; give positions from 0 to 0");
}

}  // namespace
}  // namespace pellucid
