// Reading and comparing cases of reference/.
#include "support/sequence_reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::reference {
namespace {

Array read(const Json& json) {
  const auto shape = json["shape"].get<Shape>();
  if (json["dtype"] == "int64") return Array::from(json["data"].get<std::vector<std::int64_t>>(), shape);
  return Array::from(json["data"].get<std::vector<double>>(), shape);
}

void expect_near(const Array& actual, const Json& expected, const std::string& what) {
  const auto want = expected["data"].get<std::vector<double>>();
  ASSERT_EQ(actual.shape(), expected["shape"].get<Shape>()) << what;
  ASSERT_EQ(actual.dtype(), float64) << what;
  const std::vector<double> got = actual.to_vector<double>();
  double scale = 1e-3;
  for (double value : want) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-10 * scale) << what << " at " << i;
}

}  // namespace

int check(const Call& call, const std::string& file) {
  std::ifstream in(PELLUCID_SOURCE_DIR "/tests/reference/" + file);
  const Json cases = Json::parse(in);
  int checked = 0;
  for (const Json& c : cases) {
    const std::string kind = c["kind"];
    Named inputs;
    for (const auto& [name, value] : c["inputs"].items()) inputs[name] = read(value);
    const Named outputs = call(kind, c["options"], inputs);
    if (outputs.empty()) continue;
    ++checked;
    SCOPED_TRACE(kind + " " + c["options"].dump() + " case " + std::to_string(checked));
    for (const auto& [name, y] : outputs) expect_near(y, c["outputs"][name], name);
    EXPECT_EQ(outputs.size(), c["outputs"].size());
    const auto wrt = c["wrt"].get<std::vector<std::string>>();
    Arrays at, directions;
    for (const std::string& name : wrt) {
      at.push_back(inputs.at(name));
      directions.push_back(read(c["directions"][name]));
    }
    const Function total = [&](const Arrays& x) {
      Named given = inputs;
      for (std::size_t i = 0; i < wrt.size(); ++i) given[wrt[i]] = x[i];
      Array sum_of_all;
      for (const auto& [name, y] : call(kind, c["options"], given)) {
        const Array part = sum(y * read(c["cotangents"][name]));
        sum_of_all = sum_of_all.defined() ? sum_of_all + part : part;
      }
      return Arrays{sum_of_all};
    };
    const Arrays gradients =
        transform::value_and_grad(total, at, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})
            .gradients;
    const Arrays products = hessian_product(total, at, directions);
    const auto along = [&](const Arrays& x) {  // the same by reverse over reverse
      const Arrays g =
          transform::value_and_grad(total, x, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})
              .gradients;
      Array s = sum(g[0] * directions[0]);
      for (std::size_t i = 1; i < g.size(); ++i) s = s + sum(g[i] * directions[i]);
      return Arrays{s};
    };
    const Arrays twice =
        transform::value_and_grad(along, at, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})
            .gradients;
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      expect_near(gradients[i], c["gradients"][wrt[i]], "gradient of " + wrt[i]);
      expect_near(products[i], c["products"][wrt[i]], "Hessian product of " + wrt[i]);
      expect_near(twice[i], c["products"][wrt[i]], "gradient twice of " + wrt[i]);
    }
  }
  return checked;
}

}  // namespace pellucid::reference
