// The dot product of AVX512_BF16 by the signal that a processor without it sends.
#include "support/bf16_trap.h"

#include <bit>
#include <cmath>
#include <cstddef>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <signal.h>
#include <sys/ucontext.h>

#include <cstring>
#endif

namespace pellucid {
namespace {

float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0F, x) : x; }
float half(std::uint32_t pair, bool odd) {
  return flushed(std::bit_cast<float>(odd ? pair & 0xFFFF0000U : pair << 16));
}

#if defined(__x86_64__) && defined(__linux__)

/// Where a part of XSAVE's standard layout lies (Intel's manual, volume 1, 13.4): 2 holds the upper halves of ymm, 6
/// those of zmm0 to zmm15, 7 zmm16 to zmm31.
std::size_t offset_of(unsigned part) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid_count(0xD, part, &a, &b, &c, &d);
  return b;
}

/// Words of a 512-bit register in the state that a signal's frame holds.
class Register {
 public:
  Register(std::byte* state, unsigned number) : state_(state), number_(number) {}
  std::uint32_t get(unsigned i) const {
    std::uint32_t word;
    std::memcpy(&word, at(i), sizeof(word));
    return word;
  }
  void set(unsigned i, std::uint32_t word) { std::memcpy(at(i), &word, sizeof(word)); }

 private:
  std::byte* at(unsigned i) const {
    if (number_ >= 16) return state_ + offset_of(7) + (number_ - 16) * 64 + i * 4;
    if (i < 4) return state_ + 160 + number_ * 16 + i * 4;
    if (i < 8) return state_ + offset_of(2) + number_ * 16 + (i - 4) * 4;
    return state_ + offset_of(6) + number_ * 32 + (i - 8) * 4;
  }
  std::byte* state_;
  unsigned number_;
};

/// Does vdpbf16ps zmm, zmm, zmm (EVEX.512.F3.0F38.W0 52 /r, no mask); the next instruction is what follows.
void trapped(int number, siginfo_t*, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const auto* code = reinterpret_cast<const std::uint8_t*>(machine.gregs[REG_RIP]);
  auto* state = reinterpret_cast<std::byte*>(machine.fpregs);
  const bool known = code[0] == 0x62 && (code[1] & 0x0F) == 0x02 && (code[2] & 0x87) == 0x06 && code[4] == 0x52 &&
                     (code[3] & 0xF7) == 0x40 && (code[5] & 0xC0) == 0xC0;
  if (!known) {
    signal(number, SIG_DFL);
    return;  // comes again, and ends the program
  }
  const auto bit = [&](unsigned byte, unsigned at) { return static_cast<unsigned>(~code[byte] >> at & 1); };
  Register acc(state, (code[5] >> 3 & 7U) | bit(1, 7) << 3 | bit(1, 4) << 4);
  const Register b(state, (code[5] & 7U) | bit(1, 5) << 3 | bit(1, 6) << 4);
  const Register a(state, (~static_cast<unsigned>(code[2]) >> 3 & 15U) | bit(3, 3) << 4);
  // The parts of the state that are written must be there when it is read back.
  std::uint64_t parts;
  std::memcpy(&parts, state + 512, sizeof(parts));
  const auto use = [&](unsigned part, std::size_t at, std::size_t size) {
    if ((parts >> part & 1) == 0) std::memset(state + at, 0, size);
    parts |= std::uint64_t{1} << part;
  };
  use(1, 160, 256);
  use(2, offset_of(2), 256);
  use(6, offset_of(6), 512);
  use(7, offset_of(7), 1024);
  std::memcpy(state + 512, &parts, sizeof(parts));
  for (unsigned i = 0; i < 16; ++i) {
    acc.set(i, std::bit_cast<std::uint32_t>(dot_model(std::bit_cast<float>(acc.get(i)), a.get(i), b.get(i))));
  }
  machine.gregs[REG_RIP] += 6;
}

#endif

}  // namespace

float dot_model(float acc, std::uint32_t a, std::uint32_t b) {
  acc = flushed(std::fma(half(a, true), half(b, true), flushed(acc)));
  return flushed(std::fma(half(a, false), half(b, false), acc));
}

bool trap_bf16_dot() {
#if defined(__x86_64__) && defined(__linux__)
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) {
    return false;
  }
  struct sigaction action = {};
  action.sa_sigaction = &trapped;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGILL, &action, nullptr) == 0;
#else
  return false;
#endif
}

}  // namespace pellucid
