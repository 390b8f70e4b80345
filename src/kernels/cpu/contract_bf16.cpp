// Contractions in bfloat16: which way this processor takes, which shapes, and the kernels of multiply-adds.
#include "kernels/cpu/contract_bf16.h"

#include <cstdlib>
#include <string_view>

// Of multiply-adds there is one width: processors with wider vectors take the dot product, or float32.
#define HWY_DISABLED_TARGETS (HWY_AVX3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/contract_bf16.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/contract_bf16_run-inl.h"

#if HWY_ONCE
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pellucid::kernels {
namespace {

#if defined(__x86_64__)
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1U) != 0;  // AMX-BF16
}
#endif

Bf16Way choose() {
  const char* const named = std::getenv("PELLUCID_ISA");
  const std::string_view wanted = named == nullptr ? "" : named;
  if (wanted == "avx2_bf16") return Bf16Way::kMultiplyAdd;
#if defined(__x86_64__)
  if (isa() == Isa::kAvx512 && has_bf16_dot()) {
    if (wanted == "avx512_bf16" || (wanted.empty() && !has_amx())) return Bf16Way::kDot;
  }
#endif
  return Bf16Way::kNone;
}

}  // namespace

bool has_bf16_dot() {
#if defined(__x86_64__)
  // __builtin_cpu_supports("avx512f") includes that the operating system saves the registers.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1U) != 0;
#else
  return false;
#endif
}

Bf16Way bf16_way() {
  static const Bf16Way chosen = choose();
  return chosen;
}

bool bf16_suits(const ContractShape& s) {
  return bf16_way() != Bf16Way::kNone && s.dtype == DType::kFloat32 && s.out == DType::kFloat32 && s.m >= 16 &&
         s.n >= 16 && s.k >= 16;
}

Contract bf16_contract(const ContractShape& shape) { return bf16_contract(shape, bf16_way()); }

Contract bf16_contract(const ContractShape& shape, Bf16Way way) {
  Contract contract(shape);
  bool empty = shape.m == 0 || shape.n == 0;
  for (const std::int64_t size : shape.batch) empty = empty || size == 0;
  if (empty) return contract;
  if (way == Bf16Way::kDot) {
    prepare_bf16_dot(contract);
  } else {
#if defined(__x86_64__)
    N_AVX2::contract_bf16_multiply::prepare(contract);
#else
    HWY_STATIC_DISPATCH(contract_bf16_multiply::prepare)(contract);
#endif
  }
  return contract;
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
