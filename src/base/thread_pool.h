// Parallel loops over the one pool of threads that the process has.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "pellucid/threads.h"

namespace pellucid::base {

using pellucid::set_threads;
using pellucid::threads;

/// A view of a function object that is called with the number of a piece and that of the thread.
struct PieceRef {
  void* context;
  void (*call)(void* context, std::int64_t piece, int thread);
};

namespace detail {
void run_pieces(std::int64_t pieces, PieceRef piece, int most_threads);
}

/// Calls piece(i), or piece(i, thread), once for each i in [0, pieces), on up to threads() threads (or most_threads,
/// where it is above 0 and fewer) of which the caller is one, and returns when all are done. `thread` is below that
/// number, and no two calls of one loop that run at the same time have the same, so it may pick scratch memory; give
/// most_threads where that memory was laid out earlier, since set_threads() may have been called in between.
///
/// Which thread runs a piece and when is not fixed; but a loop with as many pieces as an earlier one tends to give each
/// thread the same ones, so that data found in its cache stay there. A loop inside a piece, or while another thread has
/// a loop under way, runs on the calling thread alone. Allocates nothing, and an empty loop takes one or two
/// microseconds. Where pieces throw, the others run all the same, and the exception of the lowest one is thrown again.
///
/// Results must not depend on threads(): cut work by its size alone.
template <class F>
void parallel_for(std::int64_t pieces, F&& piece, int most_threads = 0) {
  using Function = std::remove_reference_t<F>;
  const auto call = [](void* context, std::int64_t i, [[maybe_unused]] int thread) {
    auto& function = *static_cast<Function*>(context);
    if constexpr (std::invocable<Function&, std::int64_t, int>) {
      function(i, thread);
    } else {
      function(i);
    }
  };
  void* context = const_cast<void*>(static_cast<const void*>(std::addressof(piece)));
  if (pieces == 1) {
    call(context, 0, 0);
  } else if (pieces > 1) {
    detail::run_pieces(pieces, {context, call}, most_threads);
  }
}

}  // namespace pellucid::base
