// How many threads the library works with.
#pragma once

namespace pellucid {

/// The number of threads that large work is spread over, the calling one included. At first what the environment
/// variable PELLUCID_THREADS says, else the number of processors that this process may run on. No result depends on it.
/// Throws Error where PELLUCID_THREADS is not a number from 1 to 1024.
int threads();

/// Sets the number of threads, from 1 to 1024. Waits for work that another thread has under way. Plans and kernels that
/// were prepared before keep running, and may use fewer threads than this. Throws Error for a number out of range, and
/// where it is called from inside parallel work.
void set_threads(int count);

}  // namespace pellucid
