// The choice between the instruction sets that a kernel's file was compiled for.
#pragma once

#include "kernels/kernels.h"

/// The function `name` of this file for the instruction set `isa`; both are compiled by Highway's foreach_target. Where
/// PELLUCID_ONE_ISA is defined (2 or 512, for AVX2 or AVX-512), kernels are compiled for that one alone.
#if defined(__x86_64__) && !defined(PELLUCID_ONE_ISA)
#define PELLUCID_FOR_ISA(isa, name) ((isa) == Isa::kAvx512 ? N_AVX3::name : N_AVX2::name)
#else
#define PELLUCID_FOR_ISA(isa, name) ((void)(isa), HWY_STATIC_DISPATCH(name))
#endif

namespace pellucid::kernels {

/// A table, filled by the function that stands for the processor's instruction set.
template <class Table>
Table filled(void (*fill)(Table&)) {
  Table table;
  fill(table);
  return table;
}

}  // namespace pellucid::kernels
