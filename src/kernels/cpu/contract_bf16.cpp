// Contractions in bfloat16: which way this processor takes, and which shapes.
#include "kernels/cpu/contract_bf16.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pellucid::kernels {
namespace {

Bf16Way choose() {
  const char* const named = std::getenv("PELLUCID_ISA");
  const std::string_view wanted = named == nullptr ? "" : named;
  if (isa() != Isa::kAvx512) return Bf16Way::kNone;
  if (wanted == "avx512_bf16") return Bf16Way::kDot;
  if (wanted.empty() && has_bf16_amx()) return Bf16Way::kAmx;
  if (wanted.empty() && has_bf16_dot() && !knows_bf16_amx()) return Bf16Way::kDot;
  return Bf16Way::kNone;
}

}  // namespace

bool has_bf16_dot() {
#if defined(__x86_64__) && PELLUCID_ONE_ISA != 2
  // __builtin_cpu_supports("avx512f") includes that the operating system saves the registers.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1U) != 0;
#else
  return false;
#endif
}

namespace {
Bf16Way& chosen_way() {
  static Bf16Way chosen = choose();
  return chosen;
}
}  // namespace

Bf16Way bf16_way() { return chosen_way(); }
Bf16Way take_bf16_way(Bf16Way way) { return std::exchange(chosen_way(), way); }

bool bf16_suits(const ContractShape& s) {
  return bf16_way() != Bf16Way::kNone && s.dtype == DType::kFloat32 && s.out == DType::kFloat32 && s.m >= 16 &&
         s.n >= 16 && s.k >= 16;
}

Contract bf16_contract(const ContractShape& shape, ContractSteady steady) {
  return bf16_contract(shape, bf16_way(), steady);
}

Contract bf16_contract(const ContractShape& shape, Bf16Way way, ContractSteady steady) {
  Contract contract(shape, steady);
  bool empty = shape.m == 0 || shape.n == 0;
  for (const std::int64_t size : shape.batch) empty = empty || size == 0;
  if (empty) return contract;
  if (way == Bf16Way::kAmx) {
    prepare_bf16_amx(contract);
  } else if (way == Bf16Way::kDot) {
    prepare_bf16_dot(contract);
  }
  return contract;
}

}  // namespace pellucid::kernels
