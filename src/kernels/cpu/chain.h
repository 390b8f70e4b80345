// The table of a chain's links, filled once for the processor's instruction set.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/chain.h"
#include "kernels/cpu/dispatch.h"

namespace pellucid::kernels {

struct ChainTable {
  struct Entry {
    Map map;
    LinkOperand a, b, c;
    bool mask;  // the result is a mask
    LinkCode code;
  };
  std::vector<Entry> entries;
  std::array<LinkCode, 5> edges{};  // by EdgeLink
  std::size_t block = 0;            // elements
};

}  // namespace pellucid::kernels
