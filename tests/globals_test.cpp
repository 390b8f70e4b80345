// Arrays at namespace scope, with the library linked as a static one: what the engine needs is there before them.
#include <gtest/gtest.h>

#include <vector>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"

namespace pellucid {
namespace {

const Array kTable = {{1, 2}, {3, 4}};
const Array kProduct = matmul(kTable, kTable) + 1;  // evaluated when it is read
const double kSum = sum(kProduct).item<double>();   // and here it is
const Array kRandom = random::normal(random::key(1), {3}).evaluate();
const Arrays kGradients = grad([](const Arrays& x) { return sum(exp(x[0])); })({kTable});
Compiled compiled = compile([](const Arrays& x) { return Arrays{sqrt(x[0])}; });
const Array kRoots = compiled({kTable})[0];

TEST(Globals, AreMadeOfAnEngineThatIsThere) {
  EXPECT_EQ(kProduct.to_vector<float>(), (std::vector<float>{8, 11, 16, 23}));
  EXPECT_EQ(kSum, 58);
  EXPECT_EQ(kRandom.to_vector<float>(), random::normal(random::key(1), {3}).to_vector<float>());
  EXPECT_EQ(kGradients[0].to_vector<float>(), exp(kTable).to_vector<float>());
  EXPECT_EQ(kRoots.to_vector<float>(), sqrt(kTable).to_vector<float>());
}

}  // namespace
}  // namespace pellucid
