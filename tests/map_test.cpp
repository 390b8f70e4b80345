// What holds for every elementwise kernel: tails, aliasing, special values, integers, casts, operations of two
// operands.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "support/elementwise_reference.h"

namespace pellucid::testing {
namespace {

using kernels::Map;
using kernels::Maps;
using kernels::MapTable;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return float32;
  if constexpr (std::is_same_v<T, double>) return float64;
  if constexpr (std::is_same_v<T, std::int32_t>) return int32;
  if constexpr (std::is_same_v<T, std::int64_t>) return int64;
  return uint8;
}

template <class T>
T apply(Maps MapTable::*maps, T a, T b = T{}, T c = T{}) {
  T y{};
  (kernels::map_table().*maps)[dtype_of<T>()](&y, &a, &b, &c, 1);
  return y;
}
template <class T>
bool holds(Maps MapTable::*maps, T a, T b = T{}) {
  std::uint8_t y = 7;
  (kernels::map_table().*maps)[dtype_of<T>()](&y, &a, &b, nullptr, 1);
  EXPECT_LE(y, 1);
  return y != 0;
}
template <class To, class From>
To cast(DType to, DType from, From x) {
  To y{};
  kernels::map_table().cast[static_cast<std::size_t>(to)][from](&y, &x, nullptr, nullptr, 1);
  return y;
}

struct Entry {
  const char* name;
  Maps MapTable::*maps;
  int operands;
  bool predicate = false;
};

const std::vector<Entry>& entries() {
  using T = MapTable;
  static const std::vector<Entry> all = {{"negative", &T::negative, 1},
                                         {"absolute", &T::absolute, 1},
                                         {"sign", &T::sign, 1},
                                         {"floor", &T::floor, 1},
                                         {"ceil", &T::ceil, 1},
                                         {"trunc", &T::trunc, 1},
                                         {"round", &T::round, 1},
                                         {"sqrt", &T::sqrt, 1},
                                         {"rsqrt", &T::rsqrt, 1},
                                         {"reciprocal", &T::reciprocal, 1},
                                         {"square", &T::square, 1},
                                         {"exp", &T::exp, 1},
                                         {"exp2", &T::exp2, 1},
                                         {"expm1", &T::expm1, 1},
                                         {"log", &T::log, 1},
                                         {"log2", &T::log2, 1},
                                         {"log10", &T::log10, 1},
                                         {"log1p", &T::log1p, 1},
                                         {"sin", &T::sin, 1},
                                         {"cos", &T::cos, 1},
                                         {"tan", &T::tan, 1},
                                         {"asin", &T::asin, 1},
                                         {"acos", &T::acos, 1},
                                         {"atan", &T::atan, 1},
                                         {"sinh", &T::sinh, 1},
                                         {"cosh", &T::cosh, 1},
                                         {"tanh", &T::tanh, 1},
                                         {"asinh", &T::asinh, 1},
                                         {"acosh", &T::acosh, 1},
                                         {"atanh", &T::atanh, 1},
                                         {"erf", &T::erf, 1},
                                         {"erfc", &T::erfc, 1},
                                         {"erfinv", &T::erfinv, 1},
                                         {"lgamma", &T::lgamma, 1},
                                         {"digamma", &T::digamma, 1},
                                         {"sigmoid", &T::sigmoid, 1},
                                         {"softplus", &T::softplus, 1},
                                         {"log_sigmoid", &T::log_sigmoid, 1},
                                         {"silu", &T::silu, 1},
                                         {"mish", &T::mish, 1},
                                         {"gelu", &T::gelu, 1},
                                         {"gelu_tanh", &T::gelu_tanh, 1},
                                         {"relu", &T::relu, 1},
                                         {"isnan", &T::isnan, 1, true},
                                         {"isinf", &T::isinf, 1, true},
                                         {"isfinite", &T::isfinite, 1, true},
                                         {"round_bfloat16", &T::round_bfloat16, 1},
                                         {"logical_not", &T::logical_not, 1},
                                         {"bitwise_invert", &T::bitwise_invert, 1},
                                         {"add", &T::add, 2},
                                         {"subtract", &T::subtract, 2},
                                         {"multiply", &T::multiply, 2},
                                         {"maximum", &T::maximum, 2},
                                         {"minimum", &T::minimum, 2},
                                         {"divide", &T::divide, 2},
                                         {"power", &T::power, 2},
                                         {"atan2", &T::atan2, 2},
                                         {"hypot", &T::hypot, 2},
                                         {"logaddexp", &T::logaddexp, 2},
                                         {"copysign", &T::copysign, 2},
                                         {"nextafter", &T::nextafter, 2},
                                         {"floor_divide", &T::floor_divide, 2},
                                         {"remainder", &T::remainder, 2},
                                         {"equal", &T::equal, 2, true},
                                         {"not_equal", &T::not_equal, 2, true},
                                         {"less", &T::less, 2, true},
                                         {"less_equal", &T::less_equal, 2, true},
                                         {"greater", &T::greater, 2, true},
                                         {"greater_equal", &T::greater_equal, 2, true},
                                         {"logical_and", &T::logical_and, 2},
                                         {"logical_or", &T::logical_or, 2},
                                         {"logical_xor", &T::logical_xor, 2},
                                         {"bitwise_and", &T::bitwise_and, 2},
                                         {"bitwise_or", &T::bitwise_or, 2},
                                         {"bitwise_xor", &T::bitwise_xor, 2},
                                         {"left_shift", &T::left_shift, 2},
                                         {"right_shift", &T::right_shift, 2},
                                         {"right_shift_logical", &T::right_shift_logical, 2},
                                         {"relu_gate", &T::relu_gate, 2},
                                         {"select", &T::select, 3},
                                         {"fma", &T::fma, 3}};
  return all;
}

/// 72 elements of a type, a good part of them special.
std::vector<std::uint8_t> operand(DType dtype, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(72 * size_of(dtype));
  for (int i = 0; i < 72; ++i) {
    const double value = (static_cast<double>(random() % 4001) - 2000) / 250;
    const bool special = random() % 6 == 0;
    std::uint8_t* at = bytes.data() + static_cast<std::size_t>(i) * size_of(dtype);
    const auto put = [at](auto v) { std::memcpy(at, &v, sizeof v); };
    const float odd = std::vector<float>{0, -0.0f, kInf, -kInf, kNan, 1e-42f, 3e4f}[random() % 7];
    switch (dtype) {
      case DType::kBool:
        put(static_cast<std::uint8_t>(random() % 2));
        break;
      case DType::kUInt8:
        put(static_cast<std::uint8_t>(random()));
        break;
      case DType::kInt32:
        put(special ? std::numeric_limits<std::int32_t>::min() : static_cast<std::int32_t>(value));
        break;
      case DType::kInt64:
        put(special ? std::numeric_limits<std::int64_t>::min() : static_cast<std::int64_t>(value));
        break;
      case DType::kBFloat16:
        put(static_cast<std::uint16_t>(random()));
        break;
      case DType::kFloat32:
        put(special ? odd : static_cast<float>(value));
        break;
      case DType::kFloat64:
        put(special ? static_cast<double>(odd) : value);
        break;
    }
  }
  return bytes;
}

// Every length, at an odd address, writes y[0 .. n) and nothing else, and the bits of an element depend on neither its
// place nor the length nor whether y is an operand.
TEST(Map, EveryLengthAndPlaceGivesTheSameBits) {
  for (const Entry& entry : entries()) {
    int kinds = 0;
    for (const DType dtype : kAllDTypes) {
      const Map map = (kernels::map_table().*entry.maps)[dtype];
      if (map == nullptr) continue;
      ++kinds;
      const std::size_t size = size_of(dtype), y_size = entry.predicate ? 1 : size;
      const bool selects = entry.maps == &MapTable::select;
      const DType first = selects ? bool_ : dtype;
      const std::vector<std::uint8_t> a = operand(first, 1), b = operand(dtype, 2), c = operand(dtype, 3);
      std::vector<std::uint8_t> whole(72 * y_size);
      for (std::size_t i = 0; i < 72; ++i) {
        map(whole.data() + i * y_size, a.data() + i * size_of(first), b.data() + i * size, c.data() + i * size, 1);
      }
      for (std::size_t n = 0; n <= 70; ++n) {
        for (const std::size_t start : {std::size_t{0}, std::size_t{1}}) {
          if (start + n > 72) continue;
          std::vector<std::uint8_t> y(72 * y_size + 65, 0xA5), expected = y;
          std::memcpy(expected.data() + 1, whole.data() + start * y_size, n * y_size);
          map(y.data() + 1, a.data() + start * size_of(first), b.data() + start * size, c.data() + start * size, n);
          ASSERT_EQ(y, expected) << entry.name << " " << name_of(dtype) << " n = " << n;
        }
        const std::vector<std::uint8_t> from = {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n * y_size)};
        for (int alias = 0; alias < entry.operands && y_size == size; ++alias) {
          if (alias == 0 && selects && size != 1) continue;
          std::vector<std::uint8_t> copies[3] = {a, b, c};
          std::vector<std::uint8_t>& y = copies[alias];
          map(y.data(), copies[0].data(), copies[1].data(), copies[2].data(), n);
          ASSERT_TRUE(std::equal(from.begin(), from.end(), y.begin()))
              << entry.name << " in place of operand " << alias;
        }
      }
    }
    EXPECT_GT(kinds, 0) << entry.name;
  }
}

TEST(Map, CastsOfEveryLengthGiveTheSameBits) {
  for (const DType to : kAllDTypes) {
    for (const DType from : kAllDTypes) {
      const Map map = kernels::map_table().cast[static_cast<std::size_t>(to)][from];
      ASSERT_NE(map, nullptr);
      const std::vector<std::uint8_t> a = operand(from, 5);
      std::vector<std::uint8_t> whole(72 * size_of(to));
      for (std::size_t i = 0; i < 72; ++i) {
        map(whole.data() + i * size_of(to), a.data() + i * size_of(from), nullptr, nullptr, 1);
      }
      for (std::size_t n = 0; n <= 70; ++n) {
        std::vector<std::uint8_t> y(72 * size_of(to) + 65, 0xA5), expected = y;
        std::memcpy(expected.data() + 1, whole.data(), n * size_of(to));
        map(y.data() + 1, a.data(), nullptr, nullptr, n);
        ASSERT_EQ(y, expected) << name_of(from) << " to " << name_of(to) << " n = " << n;
      }
    }
  }
}

// The table offers each operation for the types that its declaration names, and for no other.
TEST(Map, EveryTypeThatIsPromisedIsThere) {
  const MapTable& t = kernels::map_table();
  const auto types = [](const Maps& maps) {
    std::string found;
    for (const DType dtype : kAllDTypes) found += maps[dtype] != nullptr ? '1' : '0';
    return found;  // bool, uint8, int32, int64, bfloat16, float32, float64
  };
  for (const Entry& entry : entries()) {
    if (entry.operands == 1 && (t.*entry.maps)[float32] != nullptr) {
      EXPECT_NE((t.*entry.maps)[float64], nullptr) << entry.name;
    }
  }
  for (const Maps* maps : {&t.negative, &t.absolute, &t.sign, &t.square, &t.relu, &t.add, &t.subtract, &t.multiply,
                           &t.power, &t.floor_divide, &t.remainder, &t.relu_gate}) {
    EXPECT_EQ(types(*maps), "0111011");
  }
  for (const Maps* maps : {&t.maximum, &t.minimum, &t.equal, &t.not_equal, &t.less, &t.less_equal, &t.greater}) {
    EXPECT_EQ(types(*maps), "1111011");
  }
  for (const Maps* maps : {&t.bitwise_and, &t.bitwise_or, &t.bitwise_xor}) EXPECT_EQ(types(*maps), "1111000");
  for (const Maps* maps : {&t.bitwise_invert, &t.left_shift, &t.right_shift, &t.right_shift_logical}) {
    EXPECT_EQ(types(*maps), "0111000");
  }
  for (const Maps* maps : {&t.logical_and, &t.logical_or, &t.logical_xor, &t.logical_not}) {
    EXPECT_EQ(types(*maps), "1000000");
  }
  EXPECT_EQ(types(t.select), "1111111");
  EXPECT_EQ(types(t.fma), "0000011");
}

TEST(Map, OrderTreatsNanAndSignedZeros) {
  using T = MapTable;
  EXPECT_TRUE(std::isnan(apply(&T::maximum, kNan, 1.0f)) && std::isnan(apply(&T::maximum, 1.0f, kNan)));
  EXPECT_TRUE(std::isnan(apply(&T::minimum, kNan, 1.0f)) && std::isnan(apply(&T::minimum, 1.0f, kNan)));
  EXPECT_FALSE(std::signbit(apply(&T::maximum, -0.0f, 0.0f)) || std::signbit(apply(&T::maximum, 0.0f, -0.0f)));
  EXPECT_TRUE(std::signbit(apply(&T::minimum, -0.0f, 0.0f)) && std::signbit(apply(&T::minimum, 0.0f, -0.0f)));
  EXPECT_TRUE(std::isnan(apply(&T::relu, kNan)));
  EXPECT_FALSE(std::signbit(apply(&T::relu, -0.0f)));
  EXPECT_EQ(apply(&T::relu_gate, 3.0f, kNan), 0);
  EXPECT_FALSE(std::signbit(apply(&T::sign, -0.0f)));
  EXPECT_TRUE(std::isnan(apply(&T::sign, kNan)));
  EXPECT_TRUE(holds(&T::not_equal, kNan, kNan));
  EXPECT_FALSE(holds(&T::equal, kNan, kNan) || holds(&T::less_equal, kNan, 1.0f) ||
               holds(&T::greater_equal, 1.0f, kNan));
  EXPECT_TRUE(holds(&T::isnan, kNan) && holds(&T::isinf, -kInf) && holds(&T::isfinite, 1.0f));
  EXPECT_FALSE(holds(&T::isnan, kInf) || holds(&T::isinf, kNan) || holds(&T::isfinite, kNan) ||
               holds(&T::isfinite, kInf));
  EXPECT_TRUE(holds<std::uint8_t>(&T::less, 100, 200));
}

TEST(Map, IntegersWrapAndDivideAsPython) {
  using T = MapTable;
  constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min(),
                         kGreatest = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kLeast64 = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(apply(&T::add, kGreatest, 1), kLeast);
  EXPECT_EQ(apply(&T::negative, kLeast), kLeast);
  EXPECT_EQ(apply(&T::absolute, kLeast64), kLeast64);
  EXPECT_EQ((apply<std::uint8_t>(&T::multiply, 200, 3)), 88);
  EXPECT_EQ((apply<std::uint8_t>(&T::negative, 1)), 255);
  EXPECT_EQ((apply<std::int64_t>(&T::multiply, 0x123456789ABCDEF, -0x7654321)),
            static_cast<std::int64_t>(0x123456789ABCDEFULL * static_cast<std::uint64_t>(-0x7654321LL)));
  for (const auto [a, b, q, r] : {std::array<std::int32_t, 4>{7, 2, 3, 1},
                                  {-7, 2, -4, 1},
                                  {7, -2, -4, -1},
                                  {-7, -2, 3, -1},
                                  {6, -2, -3, 0},
                                  {5, 0, 0, 0},
                                  {kLeast, -1, kLeast, 0},
                                  {kLeast, 1, kLeast, 0}}) {
    EXPECT_EQ(apply(&T::floor_divide, a, b), q);
    EXPECT_EQ(apply(&T::remainder, a, b), r);
  }
  EXPECT_EQ(apply(&T::floor_divide, kLeast64, std::int64_t{-1}), kLeast64);
  EXPECT_EQ(apply(&T::power, 3, 5), 243);
  EXPECT_EQ(apply(&T::power, -2, 31), kLeast);
  EXPECT_EQ(apply(&T::power, 0, 0), 1);
  EXPECT_EQ((apply<std::uint8_t>(&T::power, 3, 6)), 217);
  EXPECT_EQ(apply(&T::power, -1, -3), -1);
  EXPECT_EQ(apply(&T::left_shift, 1, 31), kLeast);
  EXPECT_EQ(apply(&T::left_shift, 1, 32), 0);
  EXPECT_EQ(apply(&T::right_shift, -8, 1), -4);
  EXPECT_EQ(apply(&T::right_shift, -8, 40), -1);
  EXPECT_EQ(apply(&T::right_shift_logical, -1, 28), 15);
  EXPECT_EQ(apply(&T::sign, kLeast), -1);
  EXPECT_EQ((apply<std::uint8_t>(&T::sign, 200)), 1);
}

TEST(Map, CastsRoundTruncateAndSaturate) {
  EXPECT_EQ((cast<std::int32_t>(int32, float32, kNan)), 0);
  EXPECT_EQ((cast<std::int32_t>(int32, float32, 3e9f)), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ((cast<std::int32_t>(int32, float32, -kInf)), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ((cast<std::int32_t>(int32, float64, -1.9)), -1);
  EXPECT_EQ((cast<std::int32_t>(int32, float64, 2147483647.9)), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ((cast<std::int64_t>(int64, float64, 1e19)), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ((cast<std::int64_t>(int64, float32, -1e19f)), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ((cast<std::uint8_t>(uint8, float32, 255.9f)), 255);
  EXPECT_EQ((cast<std::uint8_t>(uint8, float32, -3.0f)), 0);
  EXPECT_EQ((cast<std::uint8_t>(uint8, float64, std::nan(""))), 0);
  EXPECT_EQ((cast<std::uint8_t>(uint8, int32, std::int32_t{-1})), 255);
  EXPECT_EQ((cast<std::uint8_t>(bool_, float32, kNan)), 1);
  EXPECT_EQ((cast<std::uint8_t>(bool_, float32, -0.0f)), 0);
  EXPECT_EQ((cast<std::uint8_t>(bool_, int64, std::int64_t{1} << 40)), 1);
  // 2^60 + 2^36 + 1 is just above the middle of two float32 numbers; through float64 it would look like the middle.
  EXPECT_EQ((cast<float>(float32, int64, (std::int64_t{1} << 60) + (std::int64_t{1} << 36) + 1)), 0x1.000002p60f);
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float32, 0x1.01p0f)), 0x3F80);      // the middle, to even
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float32, 0x1.03p0f)), 0x3F82);      // the middle, to even
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float32, 0x1.010002p0f)), 0x3F81);  // above it
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float64, 0x1.0100000001p0)), 0x3F81);
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, int64, (std::int64_t{0x101} << 54) + 1)), 0x5E81);
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float32, std::numeric_limits<float>::max())), 0x7F80);
  EXPECT_EQ((cast<std::uint16_t>(bfloat16, float32, kNan)) & 0x7FC0, 0x7FC0);
  EXPECT_EQ((cast<float>(float32, bfloat16, std::uint16_t{0xC049})), -3.140625f);
  EXPECT_EQ((cast<std::int32_t>(int32, bfloat16, std::uint16_t{0xC049})), -3);
}

TEST(Map, PowerHasTheSpecialCasesOfIeee) {
  std::mt19937_64 random(11);
  const float values[] = {0,  -0.0f, 1,    -1,    2,    -2,     0.5f,   -0.5f,    3,
                          -3, 2.5f,  kInf, -kInf, kNan, 1e-40f, -1e30f, 16777216, 16777215};
  for (const float x : values) {
    for (const float y : values) {
      const float got = apply(&MapTable::power, x, y);
      EXPECT_LE(error_of(got, powl(x, y)), 1) << x << " ^ " << y;
      if (got == 0) {
        EXPECT_EQ(std::signbit(got), std::signbit(powl(x, y))) << x << " ^ " << y;
      }
      const double wide = apply(&MapTable::power, static_cast<double>(x), static_cast<double>(y));
      EXPECT_LE(error_of(wide, powl(x, y)), 1) << x << " ^ " << y;
    }
  }
}

struct BinaryRow {
  const char* name;
  Maps MapTable::*maps;
  Real (*value)(Real, Real);
  double bound32, bound64;
};

Real log_add_exp(Real a, Real b) {
  if (a == b) return a + logl(2);
  return std::max(a, b) + log1pl(expl(-fabsl(a - b)));
}
Real python_remainder(Real a, Real b) {
  if (std::isinf(b) && std::isfinite(a)) return a != 0 && (a < 0) != (b < 0) ? b : a;
  Real r = fmodl(a, b);
  if (r != 0 && (r < 0) != (b < 0)) r += b;
  return r;
}

template <class T>
void expect_accurate(const BinaryRow& row) {
  std::mt19937_64 random(3);
  double worst = 0;
  for (int i = 0; i < 300000; ++i) {
    T a, b;
    if (i % 2 == 0) {
      std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t> u, v;
      u = static_cast<decltype(u)>(random());
      v = static_cast<decltype(v)>(random());
      std::memcpy(&a, &u, sizeof a);
      std::memcpy(&b, &v, sizeof b);
    } else {
      a = static_cast<T>((static_cast<double>(random() >> 11) * 0x1p-53 - (row.maps == &MapTable::power ? 0 : 0.5)) *
                         40);
      b = static_cast<T>((static_cast<double>(random() >> 11) * 0x1p-53 - 0.5) * 40);
    }
    const double error = error_of(apply(row.maps, a, b), row.value(a, b));
    ASSERT_LE(error, sizeof(T) == 4 ? row.bound32 : row.bound64) << row.name << "(" << a << ", " << b << ")";
    worst = std::max(worst, error);
  }
  std::printf("%-12s %s: at most %.4f ulp\n", row.name, sizeof(T) == 4 ? "float32" : "float64", worst);
}

TEST(Map, FunctionsOfTwoOperandsAreAccurate) {
  using T = MapTable;
  const BinaryRow rows[] = {{"divide", &T::divide, [](Real a, Real b) { return a / b; }, 0.501, 0.501},
                            {"power", &T::power, powl, 1, 1.5},
                            {"atan2", &T::atan2, atan2l, 1, 2.5},
                            {"hypot", &T::hypot, hypotl, 1, 2},
                            {"logaddexp", &T::logaddexp, log_add_exp, 1, 1e30},
                            {"remainder", &T::remainder, python_remainder, 0.501, 0.501}};
  for (const BinaryRow& row : rows) {
    expect_accurate<float>(row);
    expect_accurate<double>(row);
  }
}

TEST(Map, FunctionsOfTwoOperandsAtTheirLimits) {
  using T = MapTable;
  EXPECT_EQ(apply(&T::logaddexp, kInf, kInf), kInf);
  EXPECT_EQ(apply(&T::logaddexp, -kInf, -kInf), -kInf);
  EXPECT_EQ(apply(&T::logaddexp, -kInf, 3.0f), 3);
  EXPECT_EQ(apply(&T::hypot, kInf, kNan), kInf);
  EXPECT_EQ(apply(&T::hypot, 1e300, 1e300), std::hypot(1e300, 1e300));
  for (const float y : {0.0f, -0.0f, 1.0f, -1.0f, kInf, -kInf}) {
    for (const float x : {0.0f, -0.0f, 1.0f, -1.0f, kInf, -kInf}) {
      EXPECT_EQ(apply(&T::atan2, y, x), std::atan2(y, x)) << y << " " << x;
      EXPECT_EQ(std::signbit(apply(&T::atan2, y, x)), std::signbit(y));
    }
  }
  EXPECT_EQ(apply(&T::remainder, -7.0f, 3.0f), 2);
  EXPECT_EQ(apply(&T::remainder, 1e38f, 3.0f), static_cast<float>(fmodl(1e38f, 3)));
  EXPECT_EQ(apply(&T::remainder, 1e308, 0x1p-1070), static_cast<double>(fmodl(1e308L, 0x1p-1070L)));
  EXPECT_TRUE(std::signbit(apply(&T::remainder, 6.0f, -3.0f)));
  EXPECT_EQ(apply(&T::remainder, -1.0f, kInf), kInf);
  EXPECT_TRUE(std::isnan(apply(&T::remainder, 1.0f, 0.0f)));
  EXPECT_EQ(apply(&T::floor_divide, -7.0f, 2.0f), -4);
  EXPECT_EQ(apply(&T::floor_divide, 1.0, 0.1), 9);
  EXPECT_EQ(apply(&T::floor_divide, 1.0f, 0.0f), kInf);
  EXPECT_EQ(apply(&T::floor_divide, -1.0f, kInf), -1);
  for (const float a : {0.0f, -0.0f, 1.0f, -1.0f, 1e-45f, -1e-45f, kInf, std::numeric_limits<float>::max()}) {
    for (const float b : {0.0f, -0.0f, 1.0f, 2.0f, -kInf, kInf}) {
      const float got = apply(&T::nextafter, a, b), expected = std::nextafter(a, b);
      EXPECT_TRUE(got == expected && std::signbit(got) == std::signbit(expected)) << a << " " << b;
    }
  }
  EXPECT_TRUE(std::isnan(apply(&T::nextafter, kNan, 1.0f)) && std::isnan(apply(&T::nextafter, 1.0f, kNan)));
  EXPECT_EQ(apply(&T::fma, 1 + 0x1p-52, 1 - 0x1p-52, -1.0), -0x1p-104);
}

}  // namespace
}  // namespace pellucid::testing
