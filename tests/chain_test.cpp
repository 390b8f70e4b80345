// Chains have the results of their operations one by one: every link against its kernel, and whole plans with chains
// and without.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/chain.h"
#include "pellucid/pellucid.h"
#include "support/environment.h"

namespace pellucid {
namespace {

using kernels::EdgeLink;
using kernels::Link;
using kernels::LinkCode;
using kernels::LinkOperand;
using kernels::Maps;
using kernels::MapTable;

struct Operation {
  const char* name;
  Maps MapTable::*maps;
  int operands;
};

const std::vector<Operation>& operations() {
  using T = MapTable;
  static const std::vector<Operation> all = {{"negative", &T::negative, 1},
                                             {"absolute", &T::absolute, 1},
                                             {"sign", &T::sign, 1},
                                             {"sqrt", &T::sqrt, 1},
                                             {"rsqrt", &T::rsqrt, 1},
                                             {"reciprocal", &T::reciprocal, 1},
                                             {"square", &T::square, 1},
                                             {"relu", &T::relu, 1},
                                             {"add", &T::add, 2},
                                             {"multiply", &T::multiply, 2},
                                             {"maximum", &T::maximum, 2},
                                             {"minimum", &T::minimum, 2},
                                             {"subtract", &T::subtract, 2},
                                             {"divide", &T::divide, 2},
                                             {"relu_gate", &T::relu_gate, 2},
                                             {"equal", &T::equal, 2},
                                             {"not_equal", &T::not_equal, 2},
                                             {"less", &T::less, 2},
                                             {"less_equal", &T::less_equal, 2},
                                             {"greater", &T::greater, 2},
                                             {"fma", &T::fma, 3},
                                             {"greater_equal", &T::greater_equal, 2},
                                             {"select", &T::select, 3}};
  return all;
}

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSpecial[] = {0, -0.0F, 1, -1, 0.5F, -2.5F, 1e-42F, -1e-42F, 3e38F, -3e38F, kInf, -kInf, kNan};

/// Special values, so that operands with other seeds meet in every pair, and numbers of all sizes.
std::vector<float> draw(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> x(n);
  for (float& value : x) {
    const std::uint64_t bits = random();
    value = bits % 3 == 0 ? kSpecial[bits / 3 % std::size(kSpecial)]
                          : std::ldexp(static_cast<float>(static_cast<std::int32_t>(bits >> 32)),
                                       static_cast<int>(bits % 64) - 62);
  }
  return x;
}

/// One operation as a link, its operands reaching it as told, and by its kernel.
class OneLink {
 public:
  OneLink(const Operation& operation, std::array<LinkOperand, 3> how, std::uint64_t seed)
      : operation_(operation), how_(how), n_(5 * kernels::chain_block()) {
    for (std::size_t j = 0; j < 3; ++j) {
      float_[j] = draw(n_, 3 * seed + j);
      if (how[j] == LinkOperand::kNumber) std::fill(float_[j].begin(), float_[j].end(), float_[j][0]);
    }
    condition_.resize(n_);
    for (std::size_t i = 0; i < n_; ++i) condition_[i] = float_[0][i] < 0;  // what less(0) gives as a running mask
  }

  void expect_same(LinkCode code) const {
    const kernels::Map map = (kernels::map_table().*operation_.maps)[float32];
    const bool mask = kernels::makes_mask(map);
    std::vector<std::byte> got(n_ * sizeof(float)), want(n_ * sizeof(float));
    std::array<const void*, 3> x{};
    for (std::size_t j = 0; j < static_cast<std::size_t>(operation_.operands); ++j) x[j] = float_[j].data();
    const bool selects = operation_.maps == &MapTable::select;
    if (selects) x[0] = condition_.data();
    map(want.data(), x[0], x[1], x[2], n_);

    std::vector<Link> links;
    Link link{code, nullptr, nullptr};
    const float zero = 0;
    for (std::size_t j = 0; j < static_cast<std::size_t>(operation_.operands); ++j) {
      if (how_[j] != LinkOperand::kRunning) {
        (link.p == nullptr ? link.p : link.q) = x[j];
        continue;
      }
      links.push_back({kernels::edge_link(EdgeLink::kLoad), float_[j].data(), nullptr});
      if (selects && j == 0) links.push_back({less_than_number(), &zero, nullptr});
    }
    links.push_back(link);
    links.push_back({kernels::edge_link(mask ? EdgeLink::kStoreMask : EdgeLink::kStore), got.data(), nullptr});
    links.push_back({kernels::edge_link(EdgeLink::kEnd), nullptr, nullptr});
    kernels::run_chain(links.data(), n_);
    for (std::size_t i = 0; i < n_; ++i) {
      ASSERT_TRUE(mask ? got[i] == want[i] : same(at(got, i), at(want, i)))
          << operation_.name << " of " << float_[0][i] << ", " << float_[1][i] << ", " << float_[2][i];
    }
  }

 private:
  static float at(const std::vector<std::byte>& bytes, std::size_t i) {
    float x;
    std::memcpy(&x, bytes.data() + i * sizeof(x), sizeof(x));
    return x;
  }
  /// Which NaN a sum of two gives is the compiler's choice.
  static bool same(float x, float y) { return (std::isnan(x) && std::isnan(y)) || std::memcmp(&x, &y, sizeof(x)) == 0; }
  static LinkCode less_than_number() {
    return kernels::find_link(kernels::map_table().less[float32], LinkOperand::kRunning, LinkOperand::kNumber,
                              LinkOperand::kNone);
  }

  const Operation& operation_;
  std::array<LinkOperand, 3> how_;
  std::size_t n_;
  std::array<std::vector<float>, 3> float_;
  std::vector<std::uint8_t> condition_;
};

TEST(Chain, EveryLinkHasTheBitsOfItsKernel) {
  constexpr LinkOperand kWays[] = {LinkOperand::kRunning, LinkOperand::kMemory, LinkOperand::kNumber};
  int count = 0;
  for (const Operation& operation : operations()) {
    const kernels::Map map = (kernels::map_table().*operation.maps)[float32];
    EXPECT_TRUE(kernels::has_links(map)) << operation.name;
    int ways = 1;
    for (int j = 0; j < operation.operands; ++j) ways *= 3;
    for (int way = 0; way < ways; ++way) {
      std::array<LinkOperand, 3> how = {LinkOperand::kNone, LinkOperand::kNone, LinkOperand::kNone};
      for (int j = 0, rest = way; j < operation.operands; ++j, rest /= 3)
        how[static_cast<std::size_t>(j)] = kWays[rest % 3];
      const LinkCode code = kernels::find_link(map, how[0], how[1], how[2]);
      if (code == nullptr) continue;
      ++count;
      ASSERT_EQ(std::count(how.begin(), how.end(), LinkOperand::kRunning), 1) << operation.name;
      for (std::uint64_t seed = 1; seed <= 8; ++seed) OneLink(operation, how, seed).expect_same(code);
    }
  }
  // 8 of one operand; 7 and 6 comparisons, each with memory or a number on either side; the ways of fma and of select.
  EXPECT_EQ(count, 8 + 4 * (7 + 6) + 11 + 8);
  std::printf("%d links\n", count);
}

TEST(Chain, WhatIsCheapAndNothingElseHasLinks) {
  const MapTable& maps = kernels::map_table();
  for (Maps MapTable::*costly : {&MapTable::exp, &MapTable::tanh, &MapTable::power}) {
    EXPECT_FALSE(kernels::has_links((maps.*costly)[float32]));
  }
  EXPECT_FALSE(kernels::has_links(maps.add[float64]));
}

using Function = Arrays (*)(const Arrays&);

/// The results of a plan with chains are those of one without, for lengths that leave elements behind the last block
/// and that leave none.
void expect_chains_change_nothing(Function f, const std::vector<Shape>& shapes) {
  Arrays x;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    x.push_back(random::normal(random::key(i + 1), shapes[i]).evaluate());
  }
  const auto run = [&] {
    Arrays results = compile(f)(x);
    evaluate(results);
    return results;
  };
  const Arrays chained = run();
  const Environment off("PELLUCID_DISABLE", "chain");
  const Arrays plain = run();
  ASSERT_EQ(chained.size(), plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    ASSERT_EQ(chained[i].shape(), plain[i].shape());
    const auto got = chained[i].to_vector<float>(), want = plain[i].to_vector<float>();
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0) << "result " << i;
  }
}

TEST(Chain, PlansHaveTheBitsOfTheirInstructions) {
  for (const std::int64_t n : {1, 63, 64, 128, 1000, 4096, 100003}) {
    SCOPED_TRACE(n);
    // Adam's update: three results, values that several instructions read.
    expect_chains_change_nothing(
        [](const Arrays& x) {
          const Array m = fma(x[1], full({}, 0.9), x[3]), v = fma(square(x[2]), full({}, 0.999), square(x[3]));
          return Arrays{fma(m / (sqrt(v) + 1e-8), full({}, -1e-3), x[0]), m, v};
        },
        {{n}, {n}, {n}, {n}});
    // A mask that is used at once, one that is kept, and a costly function between two chains.
    expect_chains_change_nothing(
        [](const Arrays& x) {
          const Array wins = x[0] > x[1];
          const Array y = where(wins, x[0] * x[1], x[0] - 2 * x[1]);
          return Arrays{exp(-square(y)) * where(x[0] < 0.25, y, x[1]) + where(wins, x[1], x[0])};
        },
        {{n}, {n}});
  }
  // Numbers of rows and vectors of columns.
  expect_chains_change_nothing(
      [](const Arrays& x) { return Arrays{relu(x[0] * x[1] + x[2]) - x[0] / (1 + square(x[1]))}; },
      {{37, 300}, {37, 1}, {300}});
}

TEST(Chain, ResultsThatGoPastTheCachesAreWhole) {
  constexpr std::int64_t kElements = (8 << 20) + 77;
  expect_chains_change_nothing(
      [](const Arrays& x) {
        return Arrays{relu(2 * x[0] + 1) - 0.25 * x[0], -x[0]};
      },
      {{kElements}});
}

}  // namespace
}  // namespace pellucid
