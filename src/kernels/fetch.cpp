// The queue of each thread.
#include "kernels/fetch.h"

namespace pellucid::kernels {

FetchQueue& fetch_queue() {
  thread_local FetchQueue queue;
  return queue;
}

}  // namespace pellucid::kernels
