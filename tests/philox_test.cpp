// Philox4x32-10 against the known answers that its authors publish (Random123, kat_vectors).
#include "base/philox.h"

#include <gtest/gtest.h>

namespace pellucid::base {
namespace {

static_assert(philox(PhiloxCounter{0, 0, 0, 0}, PhiloxKey{0, 0}) ==
              PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});

TEST(Philox, GivesThePublishedAnswers) {
  constexpr std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox(PhiloxCounter{ones, ones, ones, ones}, PhiloxKey{ones, ones}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(PhiloxCounter{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, PhiloxKey{0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, CountsBlocksInTheLowWordsAndStreamsInTheHighOnes) {
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            philox(PhiloxCounter{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, PhiloxKey{0xa4093822, 0x299f31d0}));
}

}  // namespace
}  // namespace pellucid::base
