// AMX by the signal that a processor without it sends.
#include "support/amx_trap.h"

#if defined(__x86_64__) && defined(__linux__)
#include <signal.h>
#include <sys/ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/bf16_trap.h"
#endif

namespace pellucid {

#if defined(__x86_64__) && defined(__linux__)
namespace {

/// The tiles of one thread: 16 rows of 16 words, as ldtilecfg is given them by the library.
struct Tile {
  std::uint32_t word[16][16];
};
thread_local Tile tiles[8];
thread_local bool configured = false;

constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/// The rows of the memory operand that begins at ModRM; `length` is what ModRM, SIB and the displacement take.
struct Rows {
  Rows(const std::uint8_t* modrm, unsigned x, unsigned b, const greg_t* registers) {
    const unsigned mode = modrm[0] >> 6, rm = modrm[0] & 7U;
    const auto value = [&](unsigned number) { return static_cast<std::int64_t>(registers[kRegisters[number]]); };
    std::int64_t base = 0;
    length = 1;
    if (rm == 4) {  // with a SIB byte; its index is the distance of rows
      const unsigned sib = modrm[1];
      const unsigned index = (sib >> 3 & 7U) | x << 3;
      stride = index == 4 ? 0 : value(index) << (sib >> 6);
      base = value((sib & 7U) | b << 3);
      length = 2;
    } else {
      base = value(rm | b << 3);
    }
    std::int32_t offset = 0;
    if (mode == 1) {
      offset = static_cast<std::int8_t>(modrm[length]);
      length += 1;
    } else if (mode == 2) {
      std::memcpy(&offset, modrm + length, 4);
      length += 4;
    }
    first = reinterpret_cast<std::byte*>(base + offset);
  }
  std::byte* at(unsigned row) const { return first + row * stride; }
  std::byte* first = nullptr;
  std::int64_t stride = 0;
  unsigned length = 0;
};

/// VEX.128.{NP, F2, F3}.0F38.W0 {49, 4B, 5C}; all but ldtilecfg need a configuration.
void trapped(int number, siginfo_t*, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto* code = reinterpret_cast<const std::uint8_t*>(machine.gregs[REG_RIP]);
  const unsigned prefix = code[2] & 3U, x = ~code[1] >> 6 & 1U, b = ~code[1] >> 5 & 1U;
  const unsigned tile = code[4] >> 3 & 7U;
  const bool in_registers = code[4] >> 6 == 3;
  unsigned length = 5;
  bool known = code[0] == 0xC4 && (code[1] & 0x1F) == 2 && (code[2] & 0x84) == 0;
  if (known && code[3] == 0x49 && prefix == 0 && !in_registers) {  // ldtilecfg
    const Rows rows(code + 4, x, b, machine.gregs);
    configured = std::to_integer<int>(rows.first[0]) == 1;
    for (int i = 0; i < 8; ++i) {
      configured = configured && std::to_integer<int>(rows.first[16 + 2 * i]) == 64 &&
                   std::to_integer<int>(rows.first[48 + i]) == 16;
    }
    known = configured;
    length = 4 + rows.length;
  } else if (known && code[3] == 0x49 && prefix == 0) {  // tilerelease
    configured = false;
  } else if (known && configured && code[3] == 0x49 && prefix == 3) {  // tilezero
    std::memset(&tiles[tile], 0, sizeof(Tile));
  } else if (known && configured && code[3] == 0x4B && prefix >= 2 && !in_registers) {  // tileloadd, tilestored
    const Rows rows(code + 4, x, b, machine.gregs);
    for (unsigned i = 0; i < 16; ++i) {
      if (prefix == 3) std::memcpy(tiles[tile].word[i], rows.at(i), 64);
      if (prefix == 2) std::memcpy(rows.at(i), tiles[tile].word[i], 64);
    }
    length = 4 + rows.length;
  } else if (known && configured && code[3] == 0x5C && prefix == 2 && in_registers) {  // tdpbf16ps
    const Tile &left = tiles[code[4] & 7U], &right = tiles[~(code[2] >> 3) & 7U];
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 16; ++j) {
        // The even and the odd products apart, as Intel's manual has it.
        float parts[2] = {0, 0};
        for (std::size_t q = 0; q < 16; ++q) {
          const std::uint32_t l = left.word[i][q], r = right.word[q][j];
          parts[0] = dot_model(parts[0], l & 0xFFFFU, r & 0xFFFFU);
          parts[1] = dot_model(parts[1], l & 0xFFFF0000U, r & 0xFFFF0000U);
        }
        float sum;
        std::memcpy(&sum, &tiles[tile].word[i][j], sizeof(sum));
        sum += parts[0] + parts[1];
        std::memcpy(&tiles[tile].word[i][j], &sum, sizeof(sum));
      }
    }
  } else {
    known = false;
  }
  if (!known) {
    signal(number, SIG_DFL);
    return;  // comes again, and ends the program
  }
  machine.gregs[REG_RIP] += length;
}

}  // namespace

bool trap_amx() {
  struct sigaction action = {};
  action.sa_sigaction = &trapped;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

#else

bool trap_amx() { return false; }

#endif

}  // namespace pellucid
