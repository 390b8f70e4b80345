// The accuracy that elementwise kernels promise, over samples of all numbers; tests/sweep_float32.cpp tries every
// float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "support/elementwise_reference.h"

namespace pellucid::testing {
namespace {

template <class T>
constexpr DType kType = sizeof(T) == 4 ? float32 : float64;

/// Values where formulas change or functions have zeros, poles and limits.
const std::vector<double>& places() {
  static const std::vector<double> values = [] {
    std::vector<double> v = {
        0,      0.25,      0.3465,   0.41421356, 0.5,      0.70710678, 0.75,     1,    1.41421356, 1.4616321, 1.5707963,
        2,      2.4142135, 3,        3.1415926,  4,        6.25,       7.5,      8,    9.01,       10,        12.5,
        13.5,   16,        17.3,     20,         22,       25,         26,       36,   38.5,       44,        50,
        87.3,   88.72,     89.4,     103.97,     126,      127,        128,      149,  150,        350,       708.4,
        709.78, 745.1,     1023,     1024,       1e3,      16384,      65536,    1e9,  0x1p30,     1e15,      0x1p54,
        1e20,   0.999999,  1.000001, 2.457024,   2.747682, 0.504083,   3.143580, 1e-3, 1e-8,       1e-16,     1e-30};
    const std::size_t count = v.size();
    for (std::size_t i = 0; i < count; ++i) v.push_back(-v[i]);
    for (int i = 1; i < 200; ++i) v.push_back(i * 1.5707963267948966);
    return v;
  }();
  return values;
}

template <class T>
std::vector<T> samples() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x = {0,
                      static_cast<T>(-0.0),
                      Limits::infinity(),
                      -Limits::infinity(),
                      Limits::quiet_NaN(),
                      Limits::max(),
                      Limits::lowest(),
                      Limits::min(),
                      -Limits::min(),
                      Limits::denorm_min(),
                      -Limits::denorm_min()};
  for (const double place : places()) {
    T up = static_cast<T>(place), down = up;
    for (int i = 0; i < 60; ++i) {
      x.push_back(up);
      x.push_back(down);
      up = std::nextafter(up, Limits::infinity());
      down = std::nextafter(down, -Limits::infinity());
    }
  }
  std::mt19937_64 random(7);
  if constexpr (sizeof(T) == 4) {
    for (std::uint64_t pattern = 0; pattern < (std::uint64_t{1} << 32); pattern += 32771) {
      const auto bits = static_cast<std::uint32_t>(pattern);
      float value;
      std::memcpy(&value, &bits, sizeof value);
      x.push_back(value);
    }
  } else {
    for (int i = 0; i < 40000; ++i) {
      const std::uint64_t bits = random();
      double value;
      std::memcpy(&value, &bits, sizeof value);
      x.push_back(value);
    }
  }
  for (const double width : {1.0, 2.0, 12.0, 100.0, 800.0}) {
    std::uniform_real_distribution<double> uniform(-width, width);
    for (int i = 0; i < 8000; ++i) x.push_back(static_cast<T>(uniform(random)));
  }
  return x;
}

template <class T>
void expect_accurate(const UnaryReference& row) {
  static const std::vector<T> x = samples<T>();
  std::vector<T> y(x.size());
  const kernels::Map map = (kernels::map_table().*row.maps)[kType<T>];
  ASSERT_NE(map, nullptr) << row.name;
  map(y.data(), x.data(), nullptr, nullptr, x.size());
  const double bound = sizeof(T) == 4 ? row.bound32 : row.bound64;
  double worst = 0;
  T at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Real exact = row.value(static_cast<Real>(x[i]));
    double error = error_of(y[i], exact);
    if (sizeof(T) == 8 && row.absolute64 && fabsl(exact) < 1)
      error *= static_cast<double>(unit_at<T>(exact) / unit_at<T>(1));
    if (error > worst) {
      worst = error;
      at = x[i];
    }
  }
  ::testing::Test::RecordProperty(row.name, std::to_string(worst));
  std::printf("%-12s %s: at most %.4f ulp, at %a\n", row.name, sizeof(T) == 4 ? "float32" : "float64", worst,
              static_cast<double>(at));
  EXPECT_LE(worst, bound) << row.name << " at " << static_cast<double>(at);
}

TEST(Accuracy, UnaryFunctionsInFloat32) {
  for (const UnaryReference& row : unary_references()) expect_accurate<float>(row);
}

TEST(Accuracy, UnaryFunctionsInFloat64) {
  for (const UnaryReference& row : unary_references()) expect_accurate<double>(row);
}

}  // namespace
}  // namespace pellucid::testing
