// Philox4x32-10 over whole vectors of blocks, and the derivation of keys.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/random.cpp"
#include "hwy/foreach_target.h"
// foreach_target comes first.
#include <algorithm>
#include <cstring>

#include "base/philox.h"
#include "hwy/highway.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::ScalableTag<std::uint64_t>;
using Vec = hn::Vec<Words>;
inline constexpr std::size_t kBlocks = hn::MaxLanes(Words());  // a lane is a block

/// Four words of kBlocks blocks. A word is the lower half of its lane; the upper half holds anything, for the widening
/// multiplication, the only thing that does not work bit by bit, reads the lower halves alone.
struct Counters {
  Vec c0, c1, c2, c3;
};

struct Constants {
  Vec multiplier0, multiplier1, stream_low, stream_high;
  Vec key0[base::kPhiloxRounds], key1[base::kPhiloxRounds];
};

HWY_INLINE Constants make_constants(std::uint64_t seed, std::uint64_t stream) {
  const Words d;
  Constants constants;
  constants.multiplier0 = hn::Set(d, base::kPhiloxMultiplier0);
  constants.multiplier1 = hn::Set(d, base::kPhiloxMultiplier1);
  constants.stream_low = hn::Set(d, stream);
  constants.stream_high = hn::Set(d, stream >> 32);
  for (std::uint32_t round = 0; round < base::kPhiloxRounds; ++round) {
    constants.key0[round] = hn::Set(d, static_cast<std::uint32_t>(seed) + round * base::kPhiloxWeyl0);
    constants.key1[round] = hn::Set(d, static_cast<std::uint32_t>(seed >> 32) + round * base::kPhiloxWeyl1);
  }
  return constants;
}

HWY_INLINE Counters start(const Constants& constants, Vec blocks) {
  return {blocks, hn::ShiftRight<32>(blocks), constants.stream_low, constants.stream_high};
}

HWY_INLINE Counters next_round(const Constants& constants, const Counters& c, int round) {
  const hn::Repartition<std::uint32_t, Words> d32;
  const auto widen = [&](Vec a, Vec b) HWY_ATTR { return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b)); };
  const Vec product0 = widen(c.c0, constants.multiplier0);
  const Vec product1 = widen(c.c2, constants.multiplier1);
  return {hn::Xor(hn::ShiftRight<32>(product1), hn::Xor(c.c1, constants.key0[round])), product1,
          hn::Xor(hn::ShiftRight<32>(product0), hn::Xor(c.c3, constants.key1[round])), product0};
}

/// The words of kBlocks blocks, in order.
HWY_INLINE void store(const Counters& c, std::int32_t* y) {
  const Words d;
  const hn::Repartition<std::uint32_t, Words> d32;
  const auto pair = [&](Vec even, Vec odd) HWY_ATTR {
    return hn::BitCast(d, hn::OddEven(hn::BitCast(d32, hn::ShiftLeft<32>(odd)), hn::BitCast(d32, even)));
  };
  hn::StoreInterleaved2(pair(c.c0, c.c1), pair(c.c2, c.c3), d, reinterpret_cast<std::uint64_t*>(y));
}

void bits(std::int32_t* y, const std::int64_t* key, std::uint64_t first, std::size_t n) {
  const Words d;
  constexpr std::size_t kWords = 4 * kBlocks;
  const Constants constants = make_constants(static_cast<std::uint64_t>(key[0]), static_cast<std::uint64_t>(key[1]));
  Vec blocks = hn::Add(hn::Set(d, first / 4), hn::Iota(d, std::uint64_t{0}));
  const auto one = [&](std::int32_t* to) HWY_ATTR {
    Counters c = start(constants, blocks);
    for (int round = 0; round < base::kPhiloxRounds; ++round) c = next_round(constants, c, round);
    store(c, to);
    blocks = hn::Add(blocks, hn::Set(d, std::uint64_t{kBlocks}));
  };
  HWY_ALIGN std::int32_t words[kWords];
  if (const std::size_t skip = first % 4; skip != 0 && n != 0) {
    one(words);
    const std::size_t head = std::min(n, kWords - skip);
    std::memcpy(y, words + skip, head * sizeof(std::int32_t));
    y += head;
    n -= head;
  }
  // Two at a time: the rounds of one alone leave the multipliers idle.
  for (; n >= 2 * kWords; n -= 2 * kWords, y += 2 * kWords) {
    Counters a = start(constants, blocks);
    blocks = hn::Add(blocks, hn::Set(d, std::uint64_t{kBlocks}));
    Counters b = start(constants, blocks);
    blocks = hn::Add(blocks, hn::Set(d, std::uint64_t{kBlocks}));
    for (int round = 0; round < base::kPhiloxRounds; ++round) {
      a = next_round(constants, a, round);
      b = next_round(constants, b, round);
    }
    store(a, y);
    store(b, y + kWords);
  }
  for (; n >= kWords; n -= kWords, y += kWords) one(y);
  if (n != 0) {
    one(words);
    std::memcpy(y, words, n * sizeof(std::int32_t));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void random_bits(std::int32_t* y, const std::int64_t* key, std::uint64_t first, std::size_t n) {
  PELLUCID_FOR_ISA(isa(), bits)(y, key, first, n);
}

void random_fold(std::int64_t* folded, const std::int64_t* key, std::int64_t data) {
  // Streams are made under a seed of their own, so that no stream's name is another stream's bits.
  constexpr std::uint64_t kFoldSeed = 0x5851F42D4C957F2D;
  const auto words = base::philox(static_cast<std::uint64_t>(key[0]) ^ kFoldSeed, static_cast<std::uint64_t>(key[1]),
                                  static_cast<std::uint64_t>(data));
  folded[0] = key[0];
  folded[1] = static_cast<std::int64_t>(words[0] | std::uint64_t{words[1]} << 32);
}

}  // namespace pellucid::kernels
#endif
