// Chooses the instruction set that every kernel runs on.
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernels/cpu/contract_bf16.h"
#include "kernels/kernels.h"
#include "pellucid/error.h"

namespace pellucid::kernels {
namespace {

#ifndef PELLUCID_ONE_ISA
#define PELLUCID_ONE_ISA 0
#endif

#if defined(__x86_64__)
bool can_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
bool has_avx2() { return PELLUCID_ONE_ISA != 512 && can_avx2(); }
bool has_avx512() {
  return PELLUCID_ONE_ISA != 2 && can_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
}
bool has_neon() { return false; }
bool is_zen4() { return __builtin_cpu_is("amdfam19h") && __builtin_cpu_supports("avx512f"); }
#else
bool is_zen4() { return false; }
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#if defined(__aarch64__)
bool has_neon() { return true; }
#else
bool has_neon() { return false; }
#endif
#endif

bool has(Isa isa) { return isa == Isa::kAvx512 ? has_avx512() : isa == Isa::kAvx2 ? has_avx2() : has_neon(); }

Isa choose() {
  constexpr Isa kWidestFirst[] = {Isa::kAvx512, Isa::kAvx2, Isa::kNeon};
  if (const char* wanted = std::getenv("PELLUCID_ISA"); wanted != nullptr && *wanted != '\0') {
    const std::string_view name = wanted;
    for (Isa isa : kWidestFirst) {
      const bool dot = isa == Isa::kAvx512 && name == "avx512_bf16";  // and its dot product (contract_bf16.h)
      if (name != name_of(isa) && !dot) continue;
      if (has(isa) && (!dot || has_bf16_dot())) return isa;
      throw Error("PELLUCID_ISA: this processor lacks " + std::string(wanted) +
                  "; unset PELLUCID_ISA to use what it has");
    }
    throw Error("PELLUCID_ISA: no instruction set is named '" + std::string(wanted) +
                "'; use avx2, avx512 or avx512_bf16, or unset it");
  }
  for (Isa isa : kWidestFirst) {
    if (has(isa)) return isa;
  }
  throw Error("pellucid needs a processor with AVX2 and FMA, AVX-512 or NEON; this one has none of them");
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

bool fetches_ahead() { return !is_zen4(); }

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "unknown";
}

}  // namespace pellucid::kernels
