// Chains: runs of cheap elementwise float32 operations, whose running value stays in registers.
//
// A program of kernels (kernels.h) loads and stores every value; a chain is a list of *links*, each of which takes the
// running value, a block of kept vectors, from the link before it and jumps to the next with its own. What else an
// operation needs is read from memory or is one number. Links and kernels share their formulas, so that a chain has the
// bits of its operations one after the other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace pellucid::kernels {

/// How an operand reaches a link: as the running value, from memory element by element, or as one number that all
/// elements share (its pointer shows it). A comparison's running value is a mask; in memory it is bool.
enum class LinkOperand : std::uint8_t { kNone, kRunning, kMemory, kNumber };

/// A link's code. Called through run_chain alone.
using LinkCode = void (*)();

/// One link of a chain: its code, and the pointers of the operands that are not the running value, in their order.
struct Link {  // left as it is where an array of them is made: that is done for every tile
  LinkCode code;
  const void* p;
  const void* q;
};

/// The link that does what `map` does, its operands reaching it as told; null where there is none. At least one operand
/// is the running value.
LinkCode find_link(Map map, LinkOperand a, LinkOperand b, LinkOperand c);
/// True where some link does what `map` does.
bool has_links(Map map);
/// True where the operation's result is a mask.
bool makes_mask(Map map);

enum class EdgeLink : std::uint8_t {
  kLoad,       // the running value = float32 at p
  kStore,      // float32 at p = the running value
  kStream,     // the same past the caches; p is a multiple of 64 bytes
  kStoreMask,  // bool at p = the running mask
  kEnd,        // the last link of every chain
};
LinkCode edge_link(EdgeLink kind);

/// Elements of a block; a chain runs over whole blocks.
std::size_t chain_block();
/// Runs the chain over n elements, a multiple of chain_block(): block after block through all links.
void run_chain(const Link* links, std::size_t n);
/// Makes what kStream wrote visible to other threads.
void end_streams();

}  // namespace pellucid::kernels
