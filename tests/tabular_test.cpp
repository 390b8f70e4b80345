// fit_table and TableModel: what the shell, C++ and Python share.
#include "pellucid/tabular.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pellucid/nn_table.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "support/files.h"
#include "support/message.h"
#include "tables/search.h"

namespace pellucid {
namespace {

// Two classes of points in the plane, and a third column of noise.
io::Table points(std::int64_t rows) {
  std::string text = "a,b,c,kind\n";
  for (std::int64_t i = 0; i < rows; ++i) {
    const double a = std::sin(static_cast<double>(i) * 1.7), b = std::cos(static_cast<double>(i) * 2.3);
    text += io::to_text(a) + "," + io::to_text(b) + "," + std::to_string(i % 7) + (a + b > 0 ? ",yes\n" : ",no\n");
  }
  return io::parse_csv(text);
}

const TableOptions kSmall = {.hidden = std::vector<std::int64_t>{16}, .epochs = 30};

// Of a blend the first part.
const nn::Ensemble& first_ensemble(TableModel& model) {
  auto* blend = model.network[0].as<nn::Blend>();
  return *(blend != nullptr ? blend->part(0) : model.network[0]).as<nn::Ensemble>();
}

TEST(Tabular, OneFileServesAll) {
  const io::Table table = points(200);
  TableFit fit = fit_table(table, "kind", kSmall);
  EXPECT_EQ(fit.training.reason, Reason::kMaxEpochs);
  EXPECT_EQ(fit.validation.rows.size(), 200u);  // each row by the member that left it out
  EXPECT_EQ(fit.validation.output.shape(), (Shape{200, 2}));
  const auto path = (std::filesystem::temp_directory_path() / "pellucid_tabular_test.safetensors").string();
  fit.model.save(path);
  TableModel loaded = TableModel::load(path);
  const Array before = fit.model.predict(table), after = loaded.predict(table);
  EXPECT_EQ(before.shape(), (Shape{200, 2}));
  EXPECT_EQ(before.to_vector<float>(), after.to_vector<float>());
  EXPECT_EQ(loaded.record, fit.model.record);
  // Numbers in the order of training are the same as columns by their names.
  io::Table numbers = table;
  numbers.columns.pop_back();
  std::vector<double> flat;
  for (std::int64_t i = 0; i < 200; ++i) {
    for (const io::Column& column : numbers.columns) flat.push_back(column.numbers[static_cast<std::size_t>(i)]);
  }
  EXPECT_EQ(loaded.predict(Array::from(flat, {200, 3})).to_vector<float>(), after.to_vector<float>());
  EXPECT_PRED2(contains, message_of([&] {
                 loaded.predict(Array::from(flat, {300, 2}));
               }),
               "predict: x has 2 columns, and the model was trained on 3; give them all, in the order of training");
  std::filesystem::remove(path);
}

TEST(Tabular, LearnsFromArrays) {
  const Array x = random::normal(random::key(1), {300, 2}, 0, 1, float64);
  const Array y = reshape(sum(x * Array::from(std::vector<double>{3, -2}), {1}), {-1});
  TableFit fit = fit_table(x, y, {.hidden = std::vector<std::int64_t>{32}, .epochs = 60});
  const Array said = fit.model.predict(x);
  ASSERT_EQ(said.shape(), (Shape{300}));
  EXPECT_LT(mean(square(said - y)).item<double>(), 0.5);
  EXPECT_PRED2(contains, message_of([&] { fit_table(x, random::normal(random::key(2), {299})); }),
               "fit_table: y has shape [299], and x has 300 rows; give one number for each row");
}

TEST(Tabular, ALogTargetIsInTheFile) {
  const Array x = random::normal(random::key(3), {300, 2}, 0, 1, float64);
  const Array noise = random::normal(random::key(4), {300}, 0, 0.2, float64);
  const Array y = exp(reshape(sum(x * Array::from(std::vector<double>{2, -1}), {1}), {-1}) + noise);
  for (const bool fast : {false, true}) {
    TableOptions options = kSmall;
    options.fast = fast;
    if (fast) options.learning_rate = 0.02;
    options.log_target = true;
    TableFit fit = fit_table(x, y, options);
    const auto path = (std::filesystem::temp_directory_path() / "pellucid_log_test.safetensors").string();
    fit.model.save(path);
    TableModel loaded = TableModel::load(path);
    const Array said = loaded.predict(x);
    EXPECT_EQ(said.to_vector<double>(), fit.model.predict(x).to_vector<double>());
    // The error is a share of each value, small ones as large ones.
    EXPECT_LT(mean(square(log(said) - log(y))).item<double>(), 0.2);
    EXPECT_TRUE(nlohmann::json::parse(loaded.record).at("recipe").at("log_target"));
    std::filesystem::remove(path);
    // The metric of each epoch is in units of the target.
    const double error = sqrt(mean(square(said - y))).item<double>();
    EXPECT_GT(fit.training.history.back().metrics[0], error / 2);
    EXPECT_LT(fit.training.history.back().metrics[0], error * 4);
    if (fast) continue;
    const Array bounds = loaded.intervals(x), low = slice(bounds, 1, 0, 1), high = slice(bounds, 1, 1, 2);
    EXPECT_GT(min(low).item<double>(), 0);
    const Array column = reshape(y, {-1, 1});
    const Array inside = logical_and(less_equal(low, column), less_equal(column, high));
    EXPECT_GE(mean(astype(inside, float64)).item<double>(), 0.85);
  }
}

TEST(Tabular, CategoriesOfManyLevelsAreEmbedded) {
  std::string text = "x,few,many,y\n";
  const auto level = [](int i) { return i * 37 % 12; };
  for (int i = 0; i < 360; ++i) {
    const double x = std::sin(i);
    text += io::to_text(x) + ",f" + std::to_string(i % 9) + ",m" + std::to_string(level(i)) + "," +
            io::to_text(x + (level(i) * 5 % 12) / 3.0) + "\n";
  }
  const io::Table table = io::parse_csv(text);
  TableFit fit = fit_table(table, "y", {.epochs = 20});
  EXPECT_TRUE(nlohmann::json::parse(fit.model.record).at("recipe").at("embeds_categories"));
  const nn::Sequential member = first_ensemble(fit.model).member(0);
  const auto* embedding = member[1].as<nn::CategoryEmbedding>();
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->vectors.value.shape(), (Shape{12, 8}));
  EXPECT_EQ(embedding->width(), 1 + 3 + 9 + 8);
  const Array said = fit.model.predict(table), truth = Array::from(table.at("y").numbers.to_vector());
  EXPECT_LT(mean(square(said - truth)).item<double>(), 0.1);
  // Goes on, with the layers found again by their parameters.
  const double before = update_table_model(fit.model, table, {.learning_rate = 0.002}).loss;
  for (int i = 0; i < 5; ++i) update_table_model(fit.model, table, {.learning_rate = 0.002});
  EXPECT_LT(update_table_model(fit.model, table, {.learning_rate = 0.002}).loss, before);
  EXPECT_EQ(fit_table(points(60), "kind", kSmall).model.record.find("embeds_categories"), std::string::npos);
}

TEST(Tabular, IntervalsHoldWhatTheyPromise) {
  // Noise that grows with x: the intervals must, too.
  const Array x = random::uniform(random::key(3), {600, 1}, 0, 4, float64);
  const Array noise = random::normal(random::key(4), {600}, 0, 1, float64);
  const Array flat = reshape(x, {-1});
  const Array y = (flat * 2.0 + noise * flat).evaluate();
  TableFit fit = fit_table(slice(x, 0, 0, 400), slice(y, 0, 0, 400));
  const Array bounds = fit.model.intervals(table_of(slice(x, 0, 400, 600)));
  ASSERT_EQ(bounds.shape(), (Shape{200, 2}));
  const Array low = reshape(slice(bounds, 1, 0, 1), {-1}), high = reshape(slice(bounds, 1, 1, 2), {-1});
  const Array truth = slice(y, 0, 400, 600), at = slice(flat, 0, 400, 600);
  const double inside =
      mean(astype(logical_and(greater_equal(truth, low), less_equal(truth, high)), float64)).item<double>();
  EXPECT_NEAR(inside, 0.9, 0.055);
  const auto width_of = [&](const Array& rows) {
    const Array weights = astype(rows, float64);
    return (sum((high - low) * weights) / sum(weights)).item<double>();
  };
  EXPECT_GT(width_of(greater(at, 3.0)), 2 * width_of(less(at, 1.0)));
  TableFit classes = fit_table(points(60), "kind", kSmall);
  EXPECT_PRED2(contains, message_of([&] { classes.model.intervals(points(10)); }),
               "intervals: the model predicts classes, and has intervals for numbers alone");
  TableFit plain = fit_table(points(60), "a", {.fast = true, .epochs = 1});
  EXPECT_PRED2(contains, message_of([&] { plain.model.intervals(points(10)); }),
               "intervals: the model was trained without them; train it without `fast`");
}

TEST(Tabular, TheMeanOfMembersHoldsAsMuchAsAMemberByItself) {
  // Few rows of many columns: members differ, and their mean is better than each. The margin is that of one member.
  const Array x = random::normal(random::key(5), {4400, 30}), noise = random::normal(random::key(6), {4400});
  const Array y = (sum(slice(x, 1, 0, 10), {1}) + noise).evaluate();
  TableFit fit = fit_table(slice(x, 0, 0, 400), slice(y, 0, 0, 400), {.optimizer = "adam"});  // no second ensemble
  const data::Rows rows = data::all_rows(4000);
  const io::Table unseen = table_of(slice(x, 0, 400, 4400));
  const Array inputs = data::encode(fit.model.preprocessing, unseen, rows).x;
  const data::Target& target = fit.model.target();
  const Array truth = reshape((slice(y, 0, 400, 4400) - target.mean) / target.scale, {-1, 1});
  const auto inside = [&](const Array& said) {
    const Array within =
        logical_and(greater_equal(truth, slice(said, 1, 1, 2)), less_equal(truth, slice(said, 1, 2, 3)));
    return mean(astype(within, float64)).item<double>();
  };
  const auto& ensemble = *fit.model.network[0].as<nn::Ensemble>();
  const nn::AnyLayer& intervals = fit.model.network[1];
  const Array each = ensemble.each(inputs).evaluate();
  double of_one = 0;
  for (std::int64_t m = 0; m < ensemble.members(); ++m) {
    of_one += inside(intervals(reshape(slice(each, 0, m, m + 1), {4000, 3}))) / 8;
  }
  EXPECT_NEAR(of_one, 0.9, 0.03);
  EXPECT_GT(inside(intervals(mean(each, {0}))), of_one + 0.01);  // bounds of one member about the mean hold too much
  EXPECT_NEAR(inside(fit.model.output(inputs)), of_one, 0.006);
}

TEST(Tabular, RowsHeldOutByShareServeAllMembers) {
  TableOptions options = kSmall;
  options.validation = 0.25;
  options.test = 0.1;
  TableFit fit = fit_table(points(200), "kind", options);
  EXPECT_EQ(fit.validation.rows.size(), 45u);
  EXPECT_EQ(fit.test.rows.size(), 20u);
  options.validation = 0;
  fit = fit_table(points(200), "kind", options);
  EXPECT_FALSE(fit.validation.output.defined());
  EXPECT_EQ(fit.training.kept_epoch, 30);
}

// Below 2,000 rows others are trained beside, and left-out rows say which are kept.
TEST(Tabular, FewRowsHaveASecondEnsemble) {
  const Array x = random::normal(random::key(8), {240, 6}), noise = random::normal(random::key(9), {240});
  const Array y = (reshape(sum(slice(x, 1, 0, 3), {1}), {-1}) + noise).evaluate();
  TableOptions options = kSmall;
  std::vector<OptimizerState> states;
  options.optimizer_states = &states;
  TableFit fit = fit_table(x, y, options);
  const auto record = nlohmann::json::parse(fit.model.record);
  EXPECT_EQ(record.at("recipe").at("second"), nlohmann::json::parse(R"({"activation": "relu", "weight_decay": 0.3})"));
  ASSERT_EQ(record.at("ensembles").size(), 2u);
  const auto &first = record["ensembles"][0], &second = record["ensembles"][1];
  EXPECT_TRUE(first["activation"] == "mish" && first["weight_decay"] == 0) << first;
  EXPECT_TRUE(second["activation"] == "relu" && second["weight_decay"] == 0.3) << second;
  // There is much noise: the second is kept, alone or with the first.
  EXPECT_TRUE(second["kept"]);
  EXPECT_TRUE(contains(fit.training.explanation,
                       first["kept"] ? "; both ensembles are kept" : "; of two ensembles the second is kept"))
      << fit.training.explanation;
  auto* blend = fit.model.network[0].as<nn::Blend>();
  ASSERT_NE(blend, nullptr);
  EXPECT_EQ(blend->parts(), first["kept"] ? 2 : 1);
  EXPECT_EQ(states.size(), static_cast<std::size_t>(blend->parts()));
  EXPECT_FALSE(states.front().empty());
  EXPECT_EQ(fit.validation.rows, data::all_rows(240));
  EXPECT_EQ(fit.model.intervals(x).shape(), (Shape{240, 2}));
  update_table_model(fit.model, x, y, {.learning_rate = 0.01, .optimizer_states = &states});
  EXPECT_EQ(fit_table(x, y, kSmall).model.record, record.dump());

  // What the options set, both take.
  const auto second_of = [&](TableOptions given) {
    given.epochs = 1;
    return nlohmann::json::parse(fit_table(x, y, given).model.record).at("recipe").value("second", nlohmann::json());
  };
  EXPECT_EQ(second_of({.activation = "tanh"}), nlohmann::json({{"activation", "tanh"}, {"weight_decay", 0.3}}));
  EXPECT_EQ(second_of({.weight_decay = 0.1}), nlohmann::json({{"activation", "relu"}, {"weight_decay", 0.1}}));
  EXPECT_TRUE(second_of({.activation = "tanh", .weight_decay = 0.1}).is_null());
  EXPECT_TRUE(second_of({.optimizer = "adam"}).is_null());
  EXPECT_TRUE(second_of({.validation = 0.2}).is_null());
  EXPECT_TRUE(second_of({.ensemble = 1}).is_null());
  EXPECT_TRUE(second_of({.fast = true}).is_null());
}

// Numbers of few rows are not clipped; where rows are many, or the network is the plain one, they are.
TEST(Tabular, NumbersOfFewRowsAreNotClipped) {
  const auto clips = [](std::int64_t rows, TableOptions options) {
    options.epochs = 1;
    const Array x = random::uniform(random::key(10), {rows, 1});
    return fit_table(x, reshape(x, {-1}), options).model.preprocessing.features.front().numbers.front().clip;
  };
  EXPECT_FALSE(clips(100, {}));
  EXPECT_TRUE(clips(2000, {}));
  EXPECT_TRUE(clips(100, {.fast = true}));
  EXPECT_TRUE(clips(100, {.scaling = data::Scaling::kRobust}));
}

TEST(Tabular, TuningBlendsWhatItFinds) {
  const io::Table table = points(160);
  TableOptions options;
  options.tune = 8;
  options.epochs = 4;
  std::vector<std::string> lines;
  options.on_tune = [&](const std::string& line) { lines.push_back(line); };
  TableFit fit = fit_table(table, "kind", options);
  ASSERT_GE(lines.size(), 3u);
  EXPECT_TRUE(contains(lines[0], "8 tried in 2 graphs for 1 epoch: best hidden ")) << lines[0];
  EXPECT_TRUE(contains(lines[1], "4 tried in ")) << lines[1];
  EXPECT_TRUE(contains(lines[2], "trained hidden ")) << lines[2];
  EXPECT_EQ(fit.validation.rows, data::all_rows(160));
  const TableFit again = fit_table(table, "kind", options);
  EXPECT_EQ(again.model.record, fit.model.record);
  // What is said of a row is what the saved model says, and probabilities of left-out rows are calibrated.
  const TemporaryFolder folder;
  fit.model.save(folder.path("m.safetensors"));
  EXPECT_EQ(TableModel::load(folder.path("m.safetensors")).predict(table).to_vector<float>(),
            fit.model.predict(table).to_vector<float>());
  update_table_model(fit.model, table, {.learning_rate = 0.01});
}

TEST(Tabular, TimeIsSpentOnMoreMembers) {
  const io::Table table = points(100);
  TableOptions options;
  options.hidden = std::vector<std::int64_t>{8};
  options.epochs = 2;
  options.time = 1.5;
  TableFit fit = fit_table(table, "kind", options);
  EXPECT_TRUE(contains(fit.training.explanation, " of 8 networks within 1.5 seconds, ")) << fit.training.explanation;
  EXPECT_EQ(fit.validation.rows, data::all_rows(100));
  const auto record = nlohmann::json::parse(fit.model.record);
  EXPECT_GT(record.at("ensembles").size(), 1u);
  std::int64_t kept = 0;
  for (const auto& ensemble : record.at("ensembles")) kept += ensemble.at("kept").get<bool>() ? 1 : 0;
  EXPECT_GE(kept, 1);
  EXPECT_EQ(record.at("recipe").at("members"), 8 * kept);
  EXPECT_EQ(fit.model.predict(table).shape(), (Shape{100, 2}));
}

// Stopped after some ensembles, a timed training goes on with them: it trains none again, and counts their time.
TEST(Tabular, ATimedTrainingGoesOn) {
  const io::Table table = points(100);
  const TemporaryFolder folder;
  TableOptions options;
  options.hidden = std::vector<std::int64_t>{8};
  options.epochs = 2;
  options.time = 1.0;
  options.checkpoint.path = folder.path("checkpoint");
  options.checkpoint.keep = true;
  const TableFit whole = fit_table(table, "kind", options);
  const TableFit again = fit_table(table, "kind", options);
  const auto first = nlohmann::json::parse(whole.model.record), second = nlohmann::json::parse(again.model.record);
  ASSERT_LE(first.at("ensembles").size(), second.at("ensembles").size());
  for (std::size_t i = 0; i < first.at("ensembles").size(); ++i) {
    EXPECT_EQ(first["ensembles"][i]["held_out_error"], second["ensembles"][i]["held_out_error"]) << i;
  }
  EXPECT_LE(second.at("ensembles").size(), first.at("ensembles").size() + 2);

  std::ofstream(folder.path("checkpoint-time")) << "40 many\n";
  EXPECT_PRED2(contains, message_of([&] { fit_table(table, "kind", options); }),
               "checkpoint-time' is damaged; remove it and the checkpoints beside it, or train anew");
  options.checkpoint = {.path = folder.path("other")};
  fit_table(table, "kind", options);
  EXPECT_FALSE(std::filesystem::exists(folder.path("other")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("other-time")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("other-1")));
}

TEST(Search, KeepsWhatIsNotWorseThanNoise) {
  std::int64_t recipes = 0;
  const auto candidate = [&](double error, double swing, std::int64_t recipe = 0) {
    tables::Candidate one;
    one.recipe.epochs = recipe > 0 ? recipe : 100 + ++recipes;  // another one for each
    for (int i = 0; i < 100; ++i) one.errors.push_back(error + (i % 2 == 0 ? swing : -swing));
    one.error = error;
    return one;
  };
  using Chosen = std::vector<std::size_t>;
  // Worse by half a standard error, which is swing / 10; by two; better.
  EXPECT_EQ(tables::choose({candidate(1, 0), candidate(1.05, 1), candidate(1.2, 1), candidate(0.9, 1)}),
            (Chosen{0, 1, 3}));
  // The first is far worse than the best: what is as good as that is kept.
  EXPECT_EQ(tables::choose({candidate(1, 0), candidate(0.5, 1), candidate(0.55, 0.9), candidate(0.9, 0)}), (Chosen{1}));
  EXPECT_EQ(tables::choose({candidate(1, 0)}), (Chosen{0}));
  // Ensembles of one recipe stand or fall together, by their mean: of the first they are all as good, lucky or not.
  EXPECT_EQ(tables::choose({candidate(1, 0, 1), candidate(1.21, 1, 2), candidate(1.4, 0, 1)}), (Chosen{0, 1, 2}));
  EXPECT_EQ(tables::choose({candidate(1, 0, 1), candidate(0.9, 0, 2), candidate(1.3, 0, 2)}), (Chosen{0}));
}

TEST(Tabular, GoesOnWithAModel) {
  const io::Table table = points(200);
  TableFit fit = fit_table(table, "kind", {.hidden = std::vector<std::int64_t>{8}, .epochs = 1});
  const auto loss = [&] { return update_table_model(fit.model, table, {.learning_rate = 0.01}).loss; };
  const double first = loss();
  for (int i = 0; i < 20; ++i) loss();
  EXPECT_LT(loss(), 0.8 * first);
}

TEST(Tabular, GoingOnThatCannotBeLeavesTheModel) {
  const io::Table table = points(60);
  TableFit fit = fit_table(table, "kind", {.hidden = std::vector<std::int64_t>{8}, .epochs = 1});
  const std::vector<float> before = fit.model.predict(table).to_vector<float>();
  const io::Table blank = io::parse_csv("a,b,c,kind\n1,2,3,\n2,3,4,\n", {.text = {"kind"}});
  EXPECT_EQ(message_of([&] { update_table_model(fit.model, blank); }),
            "update_table_model: no row has a value in the target column 'kind'");
  EXPECT_PRED2(contains, message_of([&] {
                 update_table_model(fit.model, table, {.optimizer = "sgd", .learning_rate = 1e30, .epochs = 3});
               }),
               "training diverged");
  EXPECT_EQ(fit.model.predict(table).to_vector<float>(), before);
}

TEST(Tabular, NumbersWithoutNames) {
  EXPECT_EQ(message_of([] { table_of(zeros({3})); }),
            "table_of: x has shape [3], and must have two axes: rows and columns");
  EXPECT_EQ(message_of([] {
              table_of(zeros({3, 2}), {"a"});
            }),
            "table_of: x has 2 columns, and 1 names are given; name each");
  TableFit fit = fit_table(points(60), "kind", {.hidden = std::vector<std::int64_t>{8}, .epochs = 1});
  EXPECT_PRED2(contains, message_of([&] { fit.model.predict(zeros({1, 4})); }), "x has 4 columns");
  fit.model.record = "{}";
  EXPECT_EQ(message_of([&] {
              fit.model.predict(zeros({1, 3}));
            }),
            "predict: the model does not say in which order its columns stood; give a table with names");
}

TEST(Tabular, AModelOfPicturesIsRefused) {
  const TemporaryFolder folder;
  io::ModelFile file;
  file.preprocessing = data::to_json(data::PicturePreprocessing{.shape = {2, 2}, .classes = {"a", "b"}});
  io::save_model(folder.path("m"), file);
  EXPECT_EQ(message_of([&] { TableModel::load(folder.path("m")); }),
            "'" + folder.path("m") + "': the model is of pictures; `pellucid predict` takes it");
}

TEST(Tabular, ClassesCountByTheirWeights) {
  // Nothing to learn from: what is said is how much each class counts.
  std::string text = "a,kind\n";
  for (int i = 0; i < 400; ++i) text += std::to_string(i % 5) + (i % 8 == 0 ? ",rare\n" : ",often\n");
  const io::Table table = io::parse_csv(text);
  const auto rare = [&](TableOptions options) {
    options.hidden = std::vector<std::int64_t>{};
    options.epochs = 40;
    options.label_smoothing = 0;
    options.learning_rate = 0.02;
    options.weight_decay = 0;
    TableFit fit = fit_table(table, "kind", options);
    return mean(slice(fit.model.predict(table), 1, 1, 2)).item<double>();
  };
  EXPECT_NEAR(rare({}), 0.125, 0.03);
  EXPECT_NEAR(rare({.balanced = true, .calibrate = false}), 0.5, 0.05);
  EXPECT_NEAR(rare({.class_weights = {{"rare", 3}}, .calibrate = false}), 0.3, 0.05);
  std::vector<double> weights;
  for (int i = 0; i < 400; ++i) weights.push_back(i % 8 == 0 ? 7 : 1);
  EXPECT_NEAR(rare({.sample_weights = weights, .calibrate = false}), 0.5, 0.05);
}

TEST(Tabular, EveryNameTrains) {
  const io::Table table = points(60);
  const auto trains = [&](TableOptions options) {
    options.epochs = 1;
    options.hidden = std::vector<std::int64_t>{4};
    for (const bool fast : {true, false}) {
      options.fast = fast;
      EXPECT_EQ(fit_table(table, "kind", options).training.epoch, 1);
    }
  };
  for (const std::string& name : table_activations()) trains({.activation = name});
  for (const std::string& name : optim::names()) trains({.optimizer = name});
  for (const std::string& name : schedule::names()) trains({.schedule = name});
  for (const std::string& name : table_losses(data::Task::kClassification)) trains({.loss = name});
  for (const std::string& name : table_losses(data::Task::kRegression)) {
    EXPECT_EQ(fit_table(table, "a", {.fast = true, .loss = name, .epochs = 1}).training.epoch, 1) << name;
  }
}

TEST(Tabular, OptionsThatDoNotFit) {
  const io::Table table = points(50);
  const auto refused = [&](const TableOptions& options, const std::string& message) {
    EXPECT_PRED2(contains, message_of([&] { fit_table(table, "kind", options); }), message);
  };
  refused({.validation = 1.0}, "validation 1 must be at least 0 and less than 1");
  refused({.test = -0.1}, "test -0.1 must be at least 0 and less than 1");
  refused({.sample_weights = {1, 2}}, "sample_weights are 2, and the table has 50 rows; give one for each");
  refused({.sample_weights = std::vector<double>(50, -1)},
          "sample_weights: -1 of row 0 must be finite and not below 0");
  refused({.class_weights = {{"maybe", 2}}}, "class_weights: 'maybe' is no class of 'kind'");
  refused({.class_weights = {{"yes", 0}}}, "class_weights: 0 of 'yes' must be above 0");
  refused({.log_target = true}, "log_target is for numbers, and 'kind' is of classes; leave it out");
  refused({.hidden = std::vector<std::int64_t>{8, 0}},
          "hidden: a layer of size 0 stands among the others; sizes are positive");
  refused({.activation = "swoosh"}, "activation swoosh is not known; take one of: relu,");
  refused({.learning_rate = 0.0}, "learning_rate 0 must be above 0");
  refused({.weight_decay = -1.0}, "weight_decay -1 must not be below 0");
  refused({.epochs = 0}, "epochs 0 must be above 0");
  refused({.tune = 0}, "tune 0 must be above 0");
  refused({.tune = 4, .fast = true}, "tune is for the ensemble, not for `fast`; leave one of them out");
  refused({.time = 1.0, .fast = true}, "time is for the ensemble, not for `fast`; leave one of them out");
  refused({.fast = true, .ensemble = 4}, "ensemble 4 is for many networks, and `fast` is one; leave one of them out");
  refused({.ensemble = 0}, "ensemble 0 must be above 0");
  refused({.loss = "focal=-1"}, "loss 'focal=-1': the exponent must not be below 0; it is 2 where left out");
  TableOptions shared;
  shared.validation = 0.2;
  shared.tune = 4;
  refused(shared, "tune needs networks that each leave out a part of the rows");
  EXPECT_PRED2(contains, message_of([&] { fit_table(table, "a", {.balanced = true}); }),
               "class_weights are for classes, and 'a' is a number; leave them out");
  for (const auto& [loss, message] :
       {std::pair{"huber=0", "where squares give way to magnitudes must be above 0; it is 1"},
        {"quantile=1", "the quantile must lie between 0 and 1; it is 0.5 where left out"},
        {"quantile=nan", "loss 'quantile=nan': the quantile must lie"}}) {
    EXPECT_PRED2(contains, message_of([&] { fit_table(table, "a", {.loss = loss}); }), message);
  }
}

}  // namespace
}  // namespace pellucid
