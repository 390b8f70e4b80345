// What the program shows of a model: assessments as text and JSON.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/program.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::numbers_csv;
using testing::Outcome;
using testing::Place;
using Json = nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::size_t widest_line(const std::string& text) {
  std::istringstream in(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(in, line);) widest = std::max(widest, line.size());
  return widest;
}

// As classes_csv, with columns that say nothing and two classes whose names are no good citizens.
std::string hostile_csv(int rows) {
  std::string text = "x,\"<script>alert(1)</script>\",\"a \"\"b\"\" & 'c'\",kind\n";
  for (int i = 0; i < rows; ++i) {
    const int x = i * 7919 % 200 - 100;
    text += std::to_string(x) + "," + std::to_string(i * 31 % 17) + "," + std::to_string(i * 13 % 29) + "," +
            (x > i % 30 ? "</svg><img src=x onerror=alert(2)>" : "good & \"fine\"") + "\n";
  }
  return text;
}

TEST(Showing, ClassesAreShownInFull) {
  const Place place;
  place.write("things.csv", classes_csv(300));
  const Outcome train = place.run("train things.csv --target kind --epochs 10 --test 0.3");
  ASSERT_EQ(train.status, 0) << train.err;
  for (const char* part : {"95 % interval", "on the 90 test rows", "by class: precision", "confusion matrix",
                           "reliability: of the rows", "what matters: how much the errors rise"}) {
    EXPECT_TRUE(has(train.out, part)) << part << "\n" << train.out;
  }
  EXPECT_EQ(train.out.find("confusion matrix"), train.out.rfind("confusion matrix")) << "for the last part alone";

  const Json scores = Json::parse(place.run("evaluate things.safetensors things.csv --json").out);
  const Json& interval = scores["intervals"]["accuracy"];
  EXPECT_LE(interval[0], scores["metrics"]["accuracy"]);
  EXPECT_GE(interval[1], scores["metrics"]["accuracy"]);
  EXPECT_EQ(scores["interval_level"], 0.95);
  ASSERT_EQ(scores["by_class"].size(), 3U);
  std::int64_t rows = 0;
  for (const Json& one : scores["by_class"]) {
    rows += one["rows"].get<std::int64_t>();
    EXPECT_LE(one["recall"]["interval"][0], one["recall"]["value"]);
  }
  EXPECT_EQ(rows, 300);
  EXPECT_EQ(scores["reliability"].size(), 10U);
  EXPECT_FALSE(scores.contains("roc"));
  const Json& columns = scores["importance"]["columns"];
  ASSERT_EQ(columns.size(), 3U);
  EXPECT_EQ(columns[2]["column"], "y");  // says nothing
  EXPECT_GT(columns[0]["log_loss"]["rise"], 0.1);

  const Json kept = Json::parse(place.run("inspect things.safetensors --json").out)["training"]["test"];
  EXPECT_TRUE(kept["intervals"].contains("accuracy"));
  EXPECT_FALSE(kept.contains("importance"));
}

TEST(Showing, TwoClassesHaveCurves) {
  const Place place;
  place.write("two.csv", hostile_csv(300));
  ASSERT_EQ(place.run("train two.csv --target kind --epochs 10 --quiet").status, 0);
  const Json scores = Json::parse(place.run("evaluate two.safetensors two.csv --json").out);
  EXPECT_NEAR(scores["roc"]["area"].get<double>(), scores["metrics"]["roc_auc"].get<double>(), 1e-9);
  EXPECT_GT(scores["precision_recall"]["area"], 0.8);
}

TEST(Showing, NumbersAreShownInFull) {
  const Place place;
  place.write("prices.csv", numbers_csv(300));
  const Outcome train = place.run("train prices.csv --target price --epochs 20");
  ASSERT_EQ(train.status, 0) << train.err;
  for (const char* part : {"95 % interval", "errors (predicted - true)", "half of them from", "what matters", "RMSE"}) {
    EXPECT_TRUE(has(train.out, part)) << part << "\n" << train.out;
  }
  const Json scores = Json::parse(place.run("evaluate prices.safetensors prices.csv --json").out);
  EXPECT_EQ(scores["residuals"]["pairs"]["truth"].size(), 300U);
  EXPECT_EQ(scores["importance"]["columns"].size(), 3U);
  EXPECT_FALSE(scores.contains("by_class"));
}

// The tags of a page close in the order in which they open; the first that does not, or "".
std::string unbalanced(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    if (page.compare(at, 2, "<!") == 0) continue;
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return page.substr(at);
    const bool closes = page[at + 1] == '/';
    const std::string name = page.substr(at + 1 + closes, page.find_first_of(" >/", at + 2) - at - 1 - closes);
    if (closes) {
      if (open.empty() || open.back() != name) return page.substr(at, end - at + 1);
      open.pop_back();
    } else if (page[end - 1] != '/' && name != "meta" && name != "link" && name != "img" && name != "br") {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : open.back();
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void expect_page(const std::string& page) {
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_EQ(unbalanced(page), "");
  EXPECT_TRUE(has(page, "default-src 'none'"));
  EXPECT_TRUE(has(page, "prefers-color-scheme: dark"));
  for (const char* part : {"<script", "http://", "https://", "NaN", "=\"inf", "javascript:"}) {
    EXPECT_FALSE(has(page, part)) << part;
  }
  EXPECT_EQ(count_of(page, "<svg"), count_of(page, "role=\"img\" aria-label=\""));
}

TEST(Showing, NothingInAReportComesAlive) {
  const Place place;
  place.write("two 'x'.csv", hostile_csv(300));
  const Outcome train =
      place.run("train \"two 'x'.csv\" --target kind --epochs 6 --report two.html --out two.safetensors --quiet");
  ASSERT_EQ(train.status, 0) << train.err;
  EXPECT_EQ(train.out, "");
  const std::string page = place.read("two.html");
  expect_page(page);
  EXPECT_FALSE(has(page, "<img"));
  EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_TRUE(has(page, "&lt;/svg&gt;&lt;img src=x"));
  EXPECT_TRUE(has(page, "a &quot;b&quot; &amp; &#39;c&#39;"));
  EXPECT_TRUE(has(page, "pellucid train &#39;two &#39;\\&#39;&#39;x&#39;\\&#39;&#39;.csv&#39; --target kind"));
  for (const char* part : {"ROC curve", "Precision and recall", "Reliability", "Confusion matrix", "What matters",
                           "Loss", "Accuracy", "sha256", "Classes in training", "Linear"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  ASSERT_EQ(place.run("evaluate two.safetensors \"two 'x'.csv\" --report again.html").status, 0);
  expect_page(place.read("again.html"));
  const Outcome refused = place.run("evaluate two.safetensors \"two 'x'.csv\" --report no/where.html");
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.err, "no/where.html")) << refused.err;
}

TEST(Showing, AReportHasTheSchemaAndTheWarningsOfTraining) {
  const Place place;
  std::string text = "key,fee,color,told,kind\n";
  for (int i = 0; i < 300; ++i) {
    const bool good = i * 7919 % 3 == 0;
    text += "k" + std::to_string(i) + "," + (i == 5 ? "" : std::to_string(i * 31 % 17)) +
            (i % 2 == 0   ? ",red"
             : i % 3 == 0 ? ",blue"
                          : ",green") +
            (good ? ",a,good\n" : ",b,bad\n");
  }
  place.write("things.csv", text);
  ASSERT_EQ(place.run("train things.csv --target kind --epochs 2 --test 0.3 --report page.html").status, 0);
  const std::string page = place.read("page.html");
  for (const char* part : {"<td>kind</td><td>target</td><td>category</td><td>bad, good</td>",
                           "<td>fee</td><td>input</td><td>whole number</td><td>0 to 16</td><td class=\"r\">1</td>",
                           "<td>color</td><td>input</td><td>category</td><td>3: blue, green, red</td>",
                           "<td>key</td><td>ignore</td><td>identifier</td><td>210 different texts</td>",
                           "left out: is an identifier: another text in each row"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_TRUE(has(page, "<li>column &#39;told&#39;"));
  EXPECT_FALSE(has(page, "<td>warnings</td>"));
  ASSERT_EQ(place.run("evaluate things.safetensors things.csv --report later.html").status, 0);
  EXPECT_TRUE(has(place.read("later.html"), "<li>in training: column &#39;told&#39;"));
}

TEST(Showing, ReportsOfNumbersAndPictures) {
  const Place place;
  place.write("prices.csv", numbers_csv(300));
  ASSERT_EQ(place.run("train prices.csv --target price --epochs 6 --test 0.2 --report p.html --quiet").status, 0);
  const std::string numbers = place.read("p.html");
  expect_page(numbers);
  for (const char* part : {"Predicted and true", "Errors and predictions", "Beside it", "Root mean squared error"}) {
    EXPECT_TRUE(has(numbers, part)) << part;
  }
  testing::write_idx_folder(place, "pictures", false);
  const Outcome train = place.run("train pictures --hidden 4 --epochs 1 --batch 64 --report i.html --quiet");
  ASSERT_EQ(train.status, 0) << train.err;
  const std::string pictures = place.read("i.html");
  expect_page(pictures);
  EXPECT_GT(count_of(pictures, "src=\"data:image/png;base64,iVBORw0KGgo"), 5U);
  // A training of one epoch without validation has a report too.
  place.write("few.csv", "x,y\n1,2\n2,3\n3,5\n4,6\n5,7\n");
  ASSERT_EQ(place.run("train few.csv --target y --epochs 1 --validation 0 --report few.html --quiet").status, 0);
  expect_page(place.read("few.html"));
}

TEST(Showing, ALiveLineOnATerminal) {
  const Place place;
  place.write("things.csv", classes_csv(200));
  // 20 of the epochs have a line of their own; the others are shown in the live one.
  const Outcome outcome = place.on_terminal("train things.csv --target kind --fast --hidden 4 --epochs 60", 80);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  int lines = 0;
  std::istringstream text(outcome.out);
  for (std::string line; std::getline(text, line, '\r');) {
    const std::size_t end = line.find("\x1b[K");
    if (!line.starts_with("  epoch ") || end == std::string::npos) continue;
    line.resize(end);
    if (line.starts_with("  epoch 1/")) continue;  // no metric yet
    EXPECT_LE(line.size(), 79U) << line;
    for (const char* part : {" %  loss ", "  accuracy ", "/s  ", " left"}) EXPECT_TRUE(has(line, part)) << line;
    ++lines;
  }
  EXPECT_GE(lines, 38) << outcome.out;
  EXPECT_TRUE(has(outcome.out, "  epoch 60/60  loss ")) << outcome.out;
  EXPECT_FALSE(has(place.run("train things.csv --target kind --fast --hidden 4 --epochs 60").out, "\r"));
}

TEST(Showing, FitsTheTerminal) {
  const Place place;
  place.write("things.csv", classes_csv(200));
  ASSERT_EQ(place.run("train things.csv --target kind --epochs 5 --quiet").status, 0);
  for (const std::string columns : {"50", "64", "120"}) {
    const Outcome outcome = place.run("evaluate things.safetensors things.csv", "COLUMNS=" + columns);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_LE(widest_line(outcome.out), std::stoul(columns)) << outcome.out;
    EXPECT_TRUE(has(outcome.out, "####")) << outcome.out;
    EXPECT_EQ(has(outcome.out, "95 % interval"), columns != "50") << outcome.out;
  }
}

}  // namespace
}  // namespace pellucid
