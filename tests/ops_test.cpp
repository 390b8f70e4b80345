// Values of composed operations against references of NumPy and mpmath (tests/reference/make_ops.py), and by
// definition.
#include "pellucid/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace pellucid {
namespace {

using nlohmann::json;

const json& reference() {
  static const json data = json::parse(std::ifstream(PELLUCID_SOURCE_DIR "/tests/reference/ops.json"));
  return data;
}

Array load(const json& x, DType dtype) {
  return astype(Array::from(x["values"].get<std::vector<double>>(), x["shape"].get<Shape>()), dtype);
}

Array run(const std::string& name, const Arrays& x, const json& o) {
  const auto axes = [&] { return Axes(o["axes"].get<std::vector<int>>()); };
  if (name == "relu6") return relu6(x[0]);
  if (name == "leaky_relu") return leaky_relu(x[0], o["slope"]);
  if (name == "hardsigmoid") return hardsigmoid(x[0]);
  if (name == "hardswish") return hardswish(x[0]);
  if (name == "softsign") return softsign(x[0]);
  if (name == "elu") return elu(x[0], o["alpha"]);
  if (name == "celu") return celu(x[0], o["alpha"]);
  if (name == "selu") return selu(x[0]);
  if (name == "softmax") return softmax(x[0], o["axis"]);
  if (name == "log_softmax") return log_softmax(x[0], o["axis"]);
  if (name == "logsumexp") return logsumexp(x[0], axes());
  if (name == "mean") return mean(x[0], axes());
  if (name == "var") return var(x[0], axes(), o["correction"]);
  if (name == "std") return std(x[0], axes(), o["correction"]);
  if (name == "any") return any(x[0], axes());
  if (name == "all") return all(x[0], axes());
  if (name == "norm") {
    const double p = o["p"];
    return norm(x[0], axes(), p < 0 ? std::numeric_limits<double>::infinity() : p);
  }
  if (name == "linspace") return linspace(o["start"], o["stop"], o["count"], float64);
  if (name == "tril") return tril(x[0], o["k"]);
  if (name == "triu") return triu(x[0], o["k"]);
  if (name == "diag") return diag(x[0]);
  if (name == "pad") return pad(x[0], {{1, 2}, {0, 3}}, o["value"].get<double>());
  if (name == "roll") return roll(x[0], o["shift"], o["axis"]);
  if (name == "tile") return tile(x[0], o["repeats"].get<std::vector<std::int64_t>>());
  if (name == "repeat") return repeat(x[0], o["repeats"], o["axis"]);
  if (name == "flip") return flip(x[0], axes());
  if (name == "stack") return stack(x, o["axis"]);
  if (name == "sort") return sort(x[0], o["axis"]);
  if (name == "einsum") return einsum(o["equation"], x);
  if (name == "tensordot") return tensordot(x[0], x[1], o["axes"].get<int>());
  throw std::runtime_error("no case for " + name);
}

// Every reference case in both float types: float64 to 1e-13, float32 to rounding of the operations inside.
TEST(Ops, EqualTheReferences) {
  int checked = 0;
  for (const json& c : reference()["cases"]) {
    for (DType dtype : {float32, float64}) {
      Arrays inputs;
      for (const json& x : c["inputs"]) inputs.push_back(load(x, dtype));
      const Array y = run(c["name"], inputs, c["options"]);
      SCOPED_TRACE(c["name"].get<std::string>() + " " + c["options"].dump() + " " + std::string(name_of(dtype)));
      ASSERT_EQ(y.shape(), c["result"]["shape"].get<Shape>());
      const auto expected = c["result"]["values"].get<std::vector<double>>();
      const auto actual = astype(y, float64).to_vector<double>();
      const double tolerance = y.dtype() == float64 ? 1e-13 : 2e-6;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i]))) << i;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 150);
}

// The distance in units in the last place of the exact value.
double ulps(float actual, double exact) {
  if (std::isnan(exact)) return std::isnan(actual) ? 0 : 1e30;
  if (std::isinf(exact) || std::abs(exact) > std::numeric_limits<float>::max())
    return actual == static_cast<float>(exact) ? 0 : 1e30;
  const float near = std::abs(static_cast<float>(exact));
  const double unit = near < std::numeric_limits<float>::min()
                          ? 0x1p-149
                          : std::abs(static_cast<double>(std::nextafterf(near, 2 * near)) - near);
  return std::abs(actual - exact) / unit;
}

// Float32 within 2 ulp of the exact value, over every exponent and both signs.
TEST(Ops, ActivationsAreAccurate) {
  std::vector<float> x = {0.0F, -0.0F, INFINITY, -INFINITY};
  for (std::uint32_t bits = 1; bits < 0x7f800000U; bits += 6151) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    x.push_back(value);
    x.push_back(-value);
  }
  const Array a = Array::from(x);
  const auto within = [&](const Array& y, double (*exact)(double), const char* name, double most) {
    const auto values = y.to_vector<float>();
    double worst = 0;
    float where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(values[i], exact(x[i]));
      if (error > worst) {
        worst = error;
        where = x[i];
      }
    }
    EXPECT_LE(worst, most) << name << " at " << where;
    ::testing::Test::RecordProperty(name, std::to_string(worst));
  };
  within(
      elu(a), [](double t) { return t > 0 ? t : std::expm1(t); }, "elu", 2);
  within(
      celu(a), [](double t) { return t > 0 ? t : std::expm1(t); }, "celu", 2);
  within(
      selu(a), [](double t) { return 1.0507009873554804934 * (t > 0 ? t : 1.6732632423543772848 * std::expm1(t)); },
      "selu", 2);
  within(
      softsign(a), [](double t) { return std::isinf(t) ? std::copysign(1.0, t) : t / (1 + std::abs(t)); }, "softsign",
      2);
  within(
      relu6(a), [](double t) { return std::min(std::max(t, 0.0), 6.0); }, "relu6", 0);
  within(
      hardsigmoid(a), [](double t) { return std::min(std::max(t + 3, 0.0), 6.0) / 6; }, "hardsigmoid", 2);
  // An infinite x times 0 is no number.
  within(
      where(isfinite(a), hardswish(a), 0),
      [](double t) { return std::isinf(t) ? 0 : t * (std::min(std::max(t + 3, 0.0), 6.0) / 6); }, "hardswish", 2);
}

TEST(Ops, NaNStaysNaN) {
  const Array x = Array::from(std::vector<float>{NAN});
  for (const Array& y : {relu6(x), leaky_relu(x), hardsigmoid(x), hardswish(x), softsign(x), elu(x), selu(x), celu(x),
                         clip(x, -1, 1), softmax(x), log_softmax(x), logsumexp(x)}) {
    EXPECT_TRUE(std::isnan(y.to_vector<float>()[0]));
  }
}

TEST(Ops, TypesFollowTheOperands) {
  const Array whole = Array::from(std::vector<std::int32_t>{-4, 0, 5});
  EXPECT_EQ(elu(whole).dtype(), float32);
  EXPECT_EQ(relu6(whole).dtype(), int32);
  EXPECT_EQ(relu6(whole).to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 5}));
  EXPECT_EQ(mean(whole).dtype(), float32);
  EXPECT_FLOAT_EQ(mean(whole).item<float>(), 1.0F / 3);
  EXPECT_EQ(clip(whole, -1, 2).to_vector<std::int32_t>(), (std::vector<std::int32_t>{-1, 0, 2}));
  EXPECT_EQ(clip(whole, Array(), 2).to_vector<std::int32_t>(), (std::vector<std::int32_t>{-4, 0, 2}));
  EXPECT_EQ(clip(whole, 0.5, 2.5).dtype(), float32);
  for (DType dtype : {bfloat16, float32, float64}) {
    const Array x = astype(Array{-1, 0.5, 3}, dtype);
    for (const Array& y :
         {elu(x), selu(x), celu(x, 2), softsign(x), hardswish(x), hardsigmoid(x), leaky_relu(x), relu6(x), softmax(x),
          log_softmax(x), logsumexp(x), mean(x), var(x), std(x), norm(x), lerp(x, x, 0.5)}) {
      EXPECT_EQ(y.dtype(), dtype);
    }
    EXPECT_EQ(signbit(x).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 0}));
  }
  EXPECT_TRUE(signbit(Array(-0.0)).item<bool>());
  EXPECT_EQ(full({2}, 3).dtype(), int64);
  EXPECT_EQ(full({2}, 3.0).dtype(), float32);
  EXPECT_EQ(full({2}, 0.1, float64).to_vector<double>()[0], 0.1);
}

TEST(Ops, CreationByDefinition) {
  EXPECT_EQ(arange(1, 2, 0.25, float64).to_vector<double>(), (std::vector<double>{1, 1.25, 1.5, 1.75}));
  EXPECT_EQ(arange(5.0, 0.0, -2.0, int32).to_vector<std::int32_t>(), (std::vector<std::int32_t>{5, 3, 1}));
  EXPECT_EQ(arange(5.0, 5.0, 1.0, int64).size(), 0);
  EXPECT_EQ(linspace(2, 3, 1).to_vector<float>(), (std::vector<float>{2}));
  EXPECT_EQ(linspace(2, 3, 0).size(), 0);
  EXPECT_EQ(eye(2, 3, int32).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(diag(Array{1, 2}).to_vector<float>(), (std::vector<float>{1, 0, 0, 2}));
  EXPECT_EQ(diag(zeros({3, 0, 2})).shape(), (Shape{3, 0}));
  const Arrays grid = meshgrid({Array{1, 2}, Array{3, 4, 5}});
  EXPECT_EQ(grid[0].to_vector<float>(), (std::vector<float>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(grid[1].to_vector<float>(), (std::vector<float>{3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(zeros({0, 3}).size(), 0);
  EXPECT_EQ(ones({}).item<float>(), 1);
  EXPECT_EQ(zeros_like(Array{1, 2}).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(full_like(Array{1, 2}, 7).to_vector<float>(), (std::vector<float>{7, 7}));
}

TEST(Ops, NothingHasItsIdentity) {
  const Array none = zeros({2, 0});
  EXPECT_FALSE(any(none).item<bool>());
  EXPECT_TRUE(all(none).item<bool>());
  EXPECT_EQ(logsumexp(none, 1).to_vector<float>(), (std::vector<float>{-INFINITY, -INFINITY}));
  EXPECT_EQ(norm(none, 1).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_TRUE(std::isnan(mean(none).item<float>()));
  EXPECT_EQ(softmax(none, 1).shape(), (Shape{2, 0}));
  EXPECT_EQ(logsumexp(full({3}, -INFINITY)).item<float>(), -INFINITY);
  EXPECT_EQ(logsumexp(Array{1, INFINITY}).item<float>(), INFINITY);
  EXPECT_EQ(softmax(Array{-INFINITY, 0}).to_vector<float>(), (std::vector<float>{0, 1}));
}

TEST(Ops, MovementByDefinition) {
  const Array x = reshape(arange(24), {2, 3, 4});
  EXPECT_EQ(flatten(x, 1).shape(), (Shape{2, 12}));
  EXPECT_EQ(flatten(Array(3)).shape(), (Shape{1}));
  EXPECT_EQ(squeeze(zeros({1, 3, 1})).shape(), (Shape{3}));
  EXPECT_EQ(squeeze(zeros({1, 3, 1}), -1).shape(), (Shape{1, 3}));
  EXPECT_EQ(expand_dims(x, -1).shape(), (Shape{2, 3, 4, 1}));
  EXPECT_EQ(transpose(x).shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(swapaxes(x, 0, -1).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(moveaxis(x, 0, -1).shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(moveaxis(x, 2, 0).shape(), (Shape{4, 2, 3}));
  const Arrays parts = split(x, 2, 2);
  EXPECT_EQ(parts[1].to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23}));
  EXPECT_EQ(split(x, std::vector<std::int64_t>{1, 1}, 1)[1].shape(), (Shape{2, 0, 4}));
  EXPECT_EQ(unstack(x, 1)[2].to_vector<std::int64_t>(), (std::vector<std::int64_t>{8, 9, 10, 11, 20, 21, 22, 23}));
  EXPECT_EQ(broadcast_arrays({Array{1, 2}, zeros({3, 1})})[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(roll(arange(3), 4, 0).to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 0, 1}));
  EXPECT_EQ(repeat(arange(2), 0, 0).size(), 0);
}

std::vector<std::int64_t> at(const Array& x, const std::vector<Index>& indices) {
  return index(x, indices).to_vector<std::int64_t>();
}

TEST(Ops, BasicIndexing) {
  const Array x = reshape(arange(12), {3, 4});
  using V = std::vector<std::int64_t>;
  EXPECT_EQ(at(x, {1}), (V{4, 5, 6, 7}));
  EXPECT_EQ(at(x, {-1, -1}), (V{11}));
  EXPECT_EQ(at(x, {ellipsis, 0}), (V{0, 4, 8}));
  EXPECT_EQ(at(x, {Slice{1, std::nullopt}, Slice{std::nullopt, std::nullopt, 3}}), (V{4, 7, 8, 11}));
  EXPECT_EQ(at(x, {Slice{std::nullopt, std::nullopt, -2}, 1}), (V{9, 1}));
  EXPECT_EQ(at(x, {2, Slice{-2, 100}}), (V{10, 11}));
  EXPECT_EQ(at(x, {2, Slice{-100, 2}}), (V{8, 9}));
  EXPECT_EQ(at(x, {0, Slice{3, 1}}), V{});
  EXPECT_EQ(at(x, {0, Slice{3, 0, -2}}), (V{3, 1}));
  EXPECT_EQ(at(x, {0, Slice{0, 4, std::numeric_limits<std::int64_t>::max()}}), V{0});
  EXPECT_EQ(index(x, {newaxis, Slice{}, newaxis, 1}).shape(), (Shape{1, 3, 1}));
  EXPECT_EQ(index(x, {ellipsis, newaxis}).shape(), (Shape{3, 4, 1}));
  EXPECT_EQ(slice(x, 1, 3, -1, -2).to_vector<std::int64_t>(), (V{3, 1, 7, 5, 11, 9}));
}

TEST(Ops, IndexingByArrays) {
  const Array x = reshape(arange(24), {2, 3, 4});
  using V = std::vector<std::int64_t>;
  const Array rows = Array::from(V{0, -1}), columns = Array::from(V{2, -3});
  EXPECT_EQ(gather(x, {rows, columns}).to_vector<std::int64_t>(), (V{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(gather(x, {reshape(rows, {2, 1}), columns, Array::from(V{1})}).to_vector<std::int64_t>(),
            (V{9, 1, 21, 13}));
  EXPECT_EQ(gather(x, {rows}).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(one_hot(Array::from(V{2, 0, -1, 3}), 3, int32).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(masked_fill(Array{1, 2, 3}, Array{1, 2, 3} > 2, -1).to_vector<float>(), (std::vector<float>{1, 2, -1}));
  const Array y = Array::from(std::vector<float>{3, NAN, 1, 2, 3});
  const TopK top = topk(y, 3);
  EXPECT_EQ(top.values.to_vector<float>(), (std::vector<float>{3, 3, 2}));
  EXPECT_EQ(top.indices.to_vector<std::int64_t>(), (V{0, 4, 3}));
  const auto sorted = sort(y).to_vector<float>();
  EXPECT_EQ(sorted[0], 1);
  EXPECT_TRUE(std::isnan(sorted[4]));
  EXPECT_EQ(sort(arange(4), 0, true).to_vector<std::int64_t>(), (V{3, 2, 1, 0}));
  const Arrays found = nonzero(Array{{0, 2}, {3, 0}});
  EXPECT_EQ(found[0].to_vector<std::int64_t>(), (V{0, 1}));
  EXPECT_EQ(found[1].to_vector<std::int64_t>(), (V{1, 0}));
}

TEST(Ops, ContractionsByDefinition) {
  const Array x = Array{{1, 2}, {3, 4}}, v = Array{1, 10};
  EXPECT_EQ(linear(x, x, v).to_vector<float>(), (std::vector<float>{8, 20, 16, 32}));
  EXPECT_EQ(linear(v, x).to_vector<float>(), (std::vector<float>{31, 42}));
  // Permuted rows, with a result smaller than they are: computed in the order in which they lie, and the same.
  const Array rows = permute(reshape(arange(24.0), {2, 4, 3}), {1, 0, 2}), w = Array{{1, 2}, {3, 4}, {5, 7}};
  const Array copied = Array::from(rows.to_vector<float>(), rows.shape());
  EXPECT_EQ(linear(rows, w, v).shape(), (Shape{4, 2, 2}));
  EXPECT_EQ(linear(rows, w, v).to_vector<float>(), linear(copied, w, v).to_vector<float>());
  EXPECT_EQ(linear(rows, w).to_vector<float>(), linear(copied, w).to_vector<float>());
  EXPECT_EQ(outer(v, v).to_vector<float>(), (std::vector<float>{1, 10, 10, 100}));
  EXPECT_EQ(vecdot(x, v).to_vector<float>(), (std::vector<float>{21, 43}));
  EXPECT_EQ(tensordot(x, x, std::vector<int>{1}, std::vector<int>{0}).to_vector<float>(),
            matmul(x, x).to_vector<float>());
  EXPECT_EQ(tensordot(v, v, 0).to_vector<float>(), outer(v, v).to_vector<float>());
  const Array b = astype(x, bfloat16);
  EXPECT_EQ(einsum("ij,jk->ik", {b, b}).dtype(), bfloat16);
}

}  // namespace
}  // namespace pellucid
