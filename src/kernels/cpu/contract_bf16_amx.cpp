// Contractions in bfloat16 by AMX's products of tiles; operands are packed with AVX2.
#include "kernels/cpu/contract_bf16.h"

#define HWY_DISABLED_TARGETS (HWY_AVX3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/contract_bf16_amx.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define PELLUCID_BF16_AMX
#include "kernels/cpu/contract_bf16_run-inl.h"
#endif

#if HWY_ONCE
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace pellucid::kernels {
namespace {

bool ask_for_amx() {
#if defined(__x86_64__) && defined(__linux__)
  // ARCH_REQ_XCOMP_PERM for the tiles' data; it fails where the kernel does not know or does not save them.
  constexpr long kRequest = 0x1023, kTileData = 18;
  return knows_bf16_amx() && syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool knows_bf16_amx() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1U) != 0 && (d >> 24 & 1U) != 0;
#else
  return false;
#endif
}

bool has_bf16_amx() {
  static const bool has = ask_for_amx();
  return has;
}

#if defined(__x86_64__)
void prepare_bf16_amx(Contract& contract) { N_AVX2::contract_bf16_amx::prepare(contract); }
#else
void prepare_bf16_amx(Contract&) {}
#endif

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
