// Contractions in bfloat16: rounding while packing, the order of sums, every layout, the same bits for any number of
// threads; and the dot product of AVX512_BF16 against its documented arithmetic, where the processor has it.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <tuple>
#include <vector>

#include "array/node.h"
#include "kernels/cpu/contract_bf16.h"
#include "kernels/fetch.h"
#include "pellucid/threads.h"
#include "support/amx_trap.h"
#include "support/bf16_multiply.h"
#include "support/bf16_trap.h"

namespace pellucid {
namespace {

using kernels::Bf16Way;
using kernels::Contract;
using kernels::ContractShape;
using kernels::kContractChunk;
using Size = std::int64_t;

float rounded(float x) { return array::to_float(array::to_bfloat16(x)); }

// ---- The instruction ------------------------------------------------------------------------------------------------

TEST(Bf16Dot, InstructionDoesWhatIsDocumented) {
  const bool has = kernels::has_bf16_dot();
  if (!has && !trap_bf16_dot()) GTEST_SKIP() << "this processor has no AVX-512: the instruction was not run";
  std::mt19937_64 random(1);
  const auto half = [&](unsigned spread) {  // of random sign and digits, around 1
    const std::uint64_t exponent = 127 - spread + random() % (2 * spread + 1);
    return static_cast<std::uint32_t>(random() % 2 << 15 | exponent << 7 | random() % 128);
  };
  const int rounds = has ? 20000 : 200;
  for (int round = 0; round < rounds; ++round) {
    float acc[16], expected[16];
    std::uint32_t a[16], b[16];
    for (int i = 0; i < 16; ++i) {
      const unsigned spread = 1 + static_cast<unsigned>(round) % 40;
      acc[i] = std::ldexp(static_cast<float>(static_cast<std::int32_t>(random())), -31 + round % 20);
      a[i] = half(spread) | half(spread) << 16;
      b[i] = half(spread) | half(spread) << 16;
      expected[i] = dot_model(acc[i], a[i], b[i]);
    }
    kernels::bf16_dot(acc, a, b);
    for (int i = 0; i < 16; ++i) ASSERT_EQ(acc[i], expected[i]) << a[i] << " " << b[i];
  }
}

// ---- Contractions ---------------------------------------------------------------------------------------------------

/// A way (kNone: by multiply-adds), and whether its instructions are there or trapped.
struct Way {
  Bf16Way way;
  bool trapped;
};
std::vector<Way> ways() {
  std::vector<Way> list = {{Bf16Way::kNone, false}};
  const bool dot = kernels::has_bf16_dot(), amx = kernels::has_bf16_amx();
  if (dot) list.push_back({Bf16Way::kDot, false});
  if (amx) list.push_back({Bf16Way::kAmx, false});
  // There is one handler of traps.
  if (!dot && trap_bf16_dot()) {
    list.push_back({Bf16Way::kDot, true});
  } else if (!amx && trap_amx()) {
    list.push_back({Bf16Way::kAmx, true});
  }
  return list;
}

using Steady = kernels::ContractSteady;

/// Memory of exactly the elements that strides reach, so that the address sanitizer sees a read beyond either end.
struct Operand {
  explicit Operand(const std::vector<std::pair<Size, Size>>& sizes_strides) {
    for (const auto& [size, stride] : sizes_strides) (stride < 0 ? low : high) += (size - 1) * stride;
    data.resize(static_cast<std::size_t>(high - low + 1));
  }
  void draw(std::mt19937_64& random) {
    for (float& x : data) x = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31F;
  }
  /// The elements rounded, as bits of bfloat16.
  std::vector<std::uint16_t> narrow() const {
    std::vector<std::uint16_t> list;
    for (const float x : data) list.push_back(array::to_bfloat16(x).bits);
    return list;
  }
  float* at0() { return data.data() - low; }
  const float* at0() const { return data.data() - low; }
  Size low = 0, high = 0;
  std::vector<float> data;
};

std::vector<std::pair<Size, Size>> with_batch(const ContractShape& s, const std::vector<Size>& strides, Size rows,
                                              Size row, Size columns, Size column) {
  std::vector<std::pair<Size, Size>> list = {{rows, row}, {columns, column}};
  for (std::size_t d = 0; d < s.batch.size(); ++d) list.emplace_back(s.batch[d], strides[d]);
  return list;
}

struct Case {
  explicit Case(const ContractShape& shape, std::uint64_t seed)
      : s(shape),
        a(with_batch(s, s.a_batch, s.m, s.a_m, s.k, s.a_k)),
        b(with_batch(s, s.b_batch, s.k, s.b_k, s.n, s.b_n)),
        start(with_batch(s, s.c_batch, s.m, s.c_m, s.n, 1)),
        bias({{s.n, 1}}) {
    std::mt19937_64 random(seed);
    for (Operand* x : {&a, &b, &start, &bias}) x->draw(random);
  }

  /// A steady operand is packed before, where that is done.
  std::vector<float> run(Bf16Way way, int threads, Size* area = nullptr, Steady steady = Steady::kNone) const {
    set_threads(threads);
    const Contract contract =
        way == Bf16Way::kNone ? multiply_contract(s, steady) : kernels::bf16_contract(s, way, steady);
    Operand c = start;
    const std::vector<std::uint16_t> narrow_a = a.narrow(), narrow_b = b.narrow();
    const void* left = s.a_narrow ? static_cast<const void*>(narrow_a.data() - a.low) : a.at0();
    const void* right = s.b_narrow ? static_cast<const void*>(narrow_b.data() - b.low) : b.at0();
    const std::unique_ptr<void, void (*)(void*)> packed(
        contract.packed() == 0 ? nullptr : std::aligned_alloc(64, contract.packed()), std::free);
    if (packed != nullptr) {
      const void*& operand = steady == Steady::kA ? left : right;
      contract.pack(packed.get(), operand);
      operand = packed.get();
    }
    const std::size_t bytes = (contract.workspace() + 63) / 64 * 64;
    const std::unique_ptr<void, void (*)(void*)> workspace(std::aligned_alloc(64, std::max<std::size_t>(bytes, 64)),
                                                           std::free);
    std::memset(workspace.get(), 0xFF, bytes);  // what is there before must not matter
    struct Done {
      std::mutex mutex;
      Size area = 0;
      static void call(void* self, Size, Size row0, Size row1, Size column0, Size column1) {
        auto& done = *static_cast<Done*>(self);
        const std::lock_guard lock(done.mutex);
        done.area += (row1 - row0) * (column1 - column0);
      }
    } done;
    contract.run(c.at0(), left, right, bias.at0(), workspace.get(), {&Done::call, &done});
    if (area != nullptr) *area = done.area;
    return c.data;
  }

  /// f(total, p0 .. p1 of one output) over everything, element by element of c.
  template <class F>
  void each(const F& f) const {
    Size batches = 1;
    for (const Size size : s.batch) batches *= size;
    for (Size z = 0; z < batches; ++z) {
      Size a0 = 0, b0 = 0, c0 = 0;
      for (Size d = static_cast<Size>(s.batch.size()), rest = z; d-- > 0;) {
        const auto at = static_cast<std::size_t>(d);
        const Size i = rest % s.batch[at];
        rest /= s.batch[at];
        a0 += i * s.a_batch[at], b0 += i * s.b_batch[at], c0 += i * s.c_batch[at];
      }
      for (Size i = 0; i < s.m; ++i) {
        for (Size j = 0; j < s.n; ++j) f(a0 + i * s.a_m, b0 + j * s.b_n, c0 + i * s.c_m + j, j);
      }
    }
  }

  /// The definition, with multiply-adds.
  std::vector<float> expected() const {
    Operand c = start;
    each([&](Size a0, Size b0, Size at, Size j) {
      float total = 0;
      for (Size from = 0; from < s.k; from += kContractChunk) {
        float sum = 0;
        const Size end = std::min(s.k, from + kContractChunk);
        for (Size p = from; p < end; p += 2) {
          for (const Size q : {p + 1, p}) {
            if (q < end) sum = std::fma(rounded(a.at0()[a0 + q * s.a_k]), rounded(b.at0()[b0 + q * s.b_k]), sum);
          }
        }
        total = from == 0 ? sum : total + sum;
      }
      if (s.bias) total += bias.at0()[j];
      if (s.relu && total <= 0) total = 0;
      c.at0()[at] = total;
    });
    return c.data;
  }

  /// Against sums in float64, within (k + 1) roundings of the sum of magnitudes.
  void expect_near(const std::vector<float>& got) const {
    each([&](Size a0, Size b0, Size at, Size j) {
      double total = 0, magnitude = 0;
      for (Size p = 0; p < s.k; ++p) {
        const double x = rounded(a.at0()[a0 + p * s.a_k]), y = rounded(b.at0()[b0 + p * s.b_k]);
        total += x * y;
        magnitude += std::abs(x * y);
      }
      if (s.bias) {
        total += bias.at0()[j];
        magnitude += std::abs(bias.at0()[j]);
      }
      if (s.relu) total = std::max(total, 0.0);
      const double bound = (static_cast<double>(s.k) + 1) * 0x1p-24 * magnitude + static_cast<double>(s.k) * 0x1p-126;
      ASSERT_NEAR(got[static_cast<std::size_t>(at - start.low)], total, bound);
    });
  }

  ContractShape s;
  Operand a, b, start, bias;
};

void check(const ContractShape& shape, std::uint64_t seed) {
  const Case c(shape, seed);
  const std::vector<float> expected = c.expected();
  Size outputs = shape.m * shape.n;
  for (const Size size : shape.batch) outputs *= size;
  const std::string what = "m " + std::to_string(shape.m) + " n " + std::to_string(shape.n) + " k " +
                           std::to_string(shape.k) + " a " + std::to_string(shape.a_m) + "," +
                           std::to_string(shape.a_k) + " b " + std::to_string(shape.b_k) + "," +
                           std::to_string(shape.b_n) + " batch " + std::to_string(shape.batch.size());
  const int before = threads();
  for (const auto& [way, trapped] : ways()) {
    // Where an instruction is trapped, the large ones would take minutes; most of all in an emulator.
    if (trapped && outputs * shape.k > (way == Bf16Way::kAmx ? 1 << 25 : 1 << 15)) continue;
    if (trapped && way == Bf16Way::kDot && seed % 8 != 0) continue;
    Size area = 0;
    const std::vector<float> one = c.run(way, 1, &area);
    EXPECT_EQ(area, outputs) << what;
    c.expect_near(one);
    if (way == Bf16Way::kNone || (way == Bf16Way::kDot && trapped)) {
      for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], expected[i]) << what << " at " << i;
    }
    for (const auto& [a_narrow, b_narrow] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
      Case stored = c;
      stored.s.a_narrow = a_narrow, stored.s.b_narrow = b_narrow;
      const Steady steady = a_narrow && b_narrow ? Steady::kNone : a_narrow ? Steady::kA : Steady::kB;
      EXPECT_EQ(std::memcmp(stored.run(way, 2, nullptr, steady).data(), one.data(), one.size() * sizeof(float)), 0)
          << what << (a_narrow ? ": a" : "") << (b_narrow ? ": b" : "") << " is stored in bfloat16";
      if (trapped) break;
    }
    for (const Steady steady : {Steady::kA, Steady::kB}) {
      EXPECT_EQ(std::memcmp(c.run(way, 2, nullptr, steady).data(), one.data(), one.size() * sizeof(float)), 0)
          << what << (steady == Steady::kA ? ": a" : ": b") << " is packed before";
    }
    for (const int count : {2, 3, 7}) {
      if (count > 2 && trapped) break;
      EXPECT_EQ(std::memcmp(c.run(way, count).data(), one.data(), one.size() * sizeof(float)), 0)
          << what << " on " << count << " threads";
    }
  }
  set_threads(before);
}

/// Strides of a matrix, rows x columns: as it is, transposed, spaced, reversed.
std::pair<Size, Size> layout(std::mt19937_64& random, Size rows, Size columns) {
  switch (random() % 6) {
    case 0:
    case 1:
      return {columns, 1};
    case 2:
    case 3:
      return {1, rows};
    case 4:
      return {columns + 5, 1};
    default:
      return {-3 * columns, 2};
  }
}

ContractShape shape_of(std::mt19937_64& random, Size m, Size n, Size k) {
  ContractShape s;
  s.m = m, s.n = n, s.k = k;
  std::tie(s.a_m, s.a_k) = layout(random, m, k);
  std::tie(s.b_k, s.b_n) = layout(random, k, n);
  s.c_m = n + static_cast<Size>(random() % 3);
  s.bias = random() % 2 == 0;
  s.relu = random() % 2 == 0;
  return s;
}

TEST(Bf16Contract, SmallShapesInEveryLayout) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 150; ++i) {
    const auto draw = [&](Size most) { return 1 + static_cast<Size>(random() % static_cast<std::uint64_t>(most)); };
    ContractShape s = shape_of(random, draw(50), draw(80), draw(90));
    if (i % 3 == 0) {
      s.batch = {2, 3};
      s.a_batch = {0, s.m * s.k};
      s.b_batch = {s.n * s.k, 7};
      s.c_batch = {3 * s.m * s.c_m, s.m * s.c_m};
    }
    check(s, random());
  }
}

TEST(Bf16Contract, ChunksPiecesAndSharedOperands) {
  std::mt19937_64 random(2);
  // The last two: strips of rows and strips of columns, both of two chunks.
  const std::tuple<Size, Size, Size> sizes[] = {{300, 200, 1030}, {16, 17, 5000},  {129, 640, 33},
                                                {520, 48, 257},   {64, 64, 2048},  {33, 1100, 70},
                                                {700, 350, 64},   {620, 90, 1040}, {40, 600, 1100}};
  for (const auto& [m, n, k] : sizes) check(shape_of(random, m, n, k), random());
}

TEST(Bf16Contract, RoundsToNearestEvenAndKeepsNan) {
  // 16 x 16 outputs of one step: the products of what rounding leaves.
  ContractShape s;
  s.m = s.n = 16, s.k = 1;
  s.a_m = s.a_k = 1, s.b_k = 16, s.b_n = 1, s.c_m = 16;
  const float values[16] = {1.0F,       1.00390625F, 1.01171875F, 0x1.01p0F, 0x1.03p0F, 0x1.0101p0F,
                            -0x1.03p0F, 3.4e38F,     0x1.fep127F, 1e-39F,    -0.0F,     0x1.fffp-3F,
                            NAN,        INFINITY,    -INFINITY,   7.0F};
  Case c(s, 1);
  for (int i = 0; i < 16; ++i) c.a.at0()[i] = values[i];
  for (int j = 0; j < 16; ++j) c.b.at0()[j] = 1.0F;
  c.a.at0()[12] = std::bit_cast<float>(0x7F800001U);  // only its lowest bit says that it is NaN
  for (const auto& [way, trapped] : ways()) {
    const std::vector<float> got = c.run(way, 1);
    for (std::size_t i = 0; i < 16; ++i) {
      // Where there are instructions, they take denormal numbers as 0.
      const bool denormal = std::abs(c.a.at0()[i]) < 0x1p-126F;
      const float want = denormal && way != Bf16Way::kNone ? 0.0F : rounded(c.a.at0()[i]);
      const float is = got[i * 16 + 3];
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(is)) << i;
      } else {
        EXPECT_EQ(is, want) << i;
      }
    }
  }
}

TEST(Bf16Contract, EmptySums) {
  ContractShape s;
  s.m = 20, s.n = 18, s.k = 0;
  s.a_m = s.a_k = s.b_k = s.b_n = 1, s.c_m = 18;
  s.bias = true;
  const Case c(s, 3);
  const std::vector<float> got = c.run(Bf16Way::kNone, 2);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], c.bias.data[i % 18]);
}

TEST(Bf16Contract, FetchesWhatComesAfterIt) {
  alignas(64) static std::byte memory[1024];
  kernels::FetchQueue& queue = kernels::fetch_queue();
  queue.clear();
  queue.add(memory + 60, 200);  // bytes 60 to 260 lie in 5 lines
  queue.add(memory, 0);
  queue.add(memory + 512, 64);
  EXPECT_EQ(queue.take(3).at, memory);
  const auto rest = queue.take(100);
  EXPECT_EQ(rest.at, memory + 192);
  EXPECT_EQ(rest.count, 2);
  EXPECT_EQ(queue.take(100).at, memory + 512);
  EXPECT_EQ(queue.take(100).count, 0);
  queue.clear();
  for (int i = 0; i < 100; ++i) queue.add(memory, 64);  // more than there is room for
  std::mt19937_64 random(5);
  const Case c(shape_of(random, 64, 64, 256), 6);
  for (const auto& [way, trapped] : ways()) {
    if (trapped) continue;
    queue.clear();
    const std::vector<float> alone = c.run(way, 1);
    queue.add(memory, sizeof(memory));
    const std::vector<float> beside = c.run(way, 1);
    EXPECT_EQ(std::memcmp(alone.data(), beside.data(), alone.size() * sizeof(float)), 0);
    EXPECT_EQ(queue.take(100).count == 0, way != Bf16Way::kAmx);
  }
  queue.clear();
}

TEST(Bf16Contract, TheDefaultWayIsOneThatTheProcessorHas) {
  EXPECT_TRUE(kernels::bf16_way() != Bf16Way::kDot || kernels::has_bf16_dot());
  ContractShape small;
  small.m = small.n = small.k = 4;
  EXPECT_FALSE(kernels::bf16_suits(small));
}

}  // namespace
}  // namespace pellucid
