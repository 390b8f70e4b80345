// AMX-BF16's products of tiles on processors that lack them.
#pragma once

namespace pellucid {

/// From now on the instructions of AMX that the library's kernels use (ldtilecfg, tilezero, tileloadd, tilestored,
/// tdpbf16ps, tilerelease) are done by their documented arithmetic where the processor does not know them: their traps
/// are caught. False where that cannot be: another processor than x86-64, or another operating system than Linux.
bool trap_amx();

}  // namespace pellucid
