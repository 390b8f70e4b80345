// The pool of threads. A loop is a job: the pieces are cut into one run for each thread, which takes its own run first
// and then what is left of the others'. Workers spin for a while before they sleep, since the parts of a training step
// follow each other within microseconds.
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "base/fail.h"

namespace pellucid {
namespace {

using base::PieceRef;

constexpr int kMostThreads = 1024;
constexpr int kPieceBits = 24;
constexpr std::uint64_t kPieceMask = (std::uint64_t{1} << kPieceBits) - 1;
constexpr std::chrono::microseconds kSpin(50);      // how long a worker waits for the next loop before it sleeps
constexpr std::chrono::microseconds kShortSpin(2);  // the same where there are more threads than processors
constexpr std::size_t kApart = 128;                 // processors fetch cache lines in pairs

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until ready() or for about `limit`; returns ready().
template <class Ready>
bool spin(Ready ready, std::chrono::microseconds limit) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point end;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
    if (end == Clock::time_point()) end = Clock::now() + limit;
  } while (Clock::now() < end);
  return ready();
}

/// The processors that this process may run on.
int processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::clamp(CPU_COUNT(&set), 1, kMostThreads);
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
}

/// Moves this thread to another of its processors than `processor`, where it has one.
void leave(int processor) {
  cpu_set_t all;
  CPU_ZERO(&all);
  if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) < 2) return;
  cpu_set_t others = all;
  CPU_CLR(static_cast<std::size_t>(processor), &others);
  if (sched_setaffinity(0, sizeof(others), &others) == 0) sched_setaffinity(0, sizeof(all), &all);
}

/// True on a thread that is running a piece: its own loops run on it alone.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool inside = false;

/// Runs pieces [first, last) and keeps the exception of the lowest that threw.
class Failure {
 public:
  void run(PieceRef piece, std::int64_t i, int thread) {
    try {
      piece.call(piece.context, i, thread);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!exception_ || i < piece_) {
        exception_ = std::current_exception();
        piece_ = i;
      }
    }
  }
  /// Throws what was kept, once.
  void rethrow() {
    if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
  std::int64_t piece_ = 0;
};

/// Marks the thread as inside a piece while it stands.
class Inside {
 public:
  Inside() : before_(std::exchange(inside, true)) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { inside = before_; }

 private:
  bool before_;
};

void run_alone(std::int64_t first, std::int64_t last, PieceRef piece) {
  Failure failure;
  {
    const Inside mark;
    for (std::int64_t i = first; i < last; ++i) failure.run(piece, i, 0);
  }
  failure.rethrow();
}

class Pool {
 public:
  /// Held by the thread whose loop the pool runs, and by set_threads.
  std::mutex busy;
  /// A pool that a fork left without its threads; kept so that its memory stays reachable.
  Pool* before_fork = nullptr;

  /// Runs `pieces` pieces from `first` on, at most kPieceMask, and keeps what they throw; `busy` is held.
  void run(std::int64_t first, std::int64_t pieces, PieceRef piece, int most_threads);
  /// Throws the exception of the lowest piece that threw since the last call.
  void rethrow() { failure_.rethrow(); }
  /// Ends the workers; `busy` is held.
  void stop();

 private:
  // One thread's run of pieces: the number of the job in the upper bits, the next piece to be taken in the lower ones.
  struct alignas(kApart) Slot {
    std::atomic<std::uint64_t> ticket{0};
  };

  void start(int count);
  void work(int self, std::uint64_t job);
  std::int64_t take_pieces(int self, std::uint64_t job, int runs, std::int64_t pieces, std::int64_t first,
                           PieceRef piece);
  void finish_pieces(std::int64_t count);

  int count_ = 0;  // threads, the caller included; 0 before the start
  std::chrono::microseconds spin_ = kSpin;
  std::vector<std::thread> workers_;
  std::vector<Slot> slots_;
  Failure failure_;

  // A worker may read these while the next job is being set up. It then takes nothing, by this order: run() writes the
  // tickets of the next job before these, and a worker reads these before a ticket, which it takes only with the number
  // of its own job. A ticket of its own job with pieces left means that the job is not finished, so these are its own.
  alignas(kApart) std::atomic<std::uint64_t> job_{0};
  std::atomic<void*> context_{nullptr};
  std::atomic<void (*)(void*, std::int64_t, int)> call_{nullptr};
  std::atomic<std::int64_t> first_{0};
  std::atomic<std::int64_t> pieces_{0};
  std::atomic<int> runs_{0};  // slots in use = threads that take part

  alignas(kApart) std::atomic<std::int64_t> left_{0};  // pieces not yet finished

  alignas(kApart) std::atomic<int> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<int> caller_processor_{-1};  // where run() was called when it woke the sleepers
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
};

void Pool::start(int count) {
  stop();
  count_ = count;
  spin_ = count <= processors() ? kSpin : kShortSpin;
  slots_ = std::vector<Slot>(static_cast<std::size_t>(count));
  // Signals are for the threads of the program, which know what to do with them.
  sigset_t all, old;
  sigfillset(&all);
  // A worker's own faults are not: blocked, they would end the program past its handlers.
  for (const int fault : {SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  try {
    for (int self = 1; self < count; ++self) {
      workers_.emplace_back([this, self, job = job_.load()] { work(self, job); });
    }
  } catch (const std::system_error&) {
    // Fewer workers than were asked for do the same work: they take the runs of those that are missing.
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

void Pool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stop_ = false;
  count_ = 0;
}

/// Waits for the jobs after `job`, one after the other, and takes part in them.
void Pool::work(int self, std::uint64_t job) {
  pthread_setname_np(pthread_self(), "pellucid");
  inside = true;
  const auto ready = [&] { return job_.load() != job || stop_.load(std::memory_order_relaxed); };
  while (true) {
    if (!spin(ready, spin_)) {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      wake_.wait(lock, ready);
      --sleepers_;
      lock.unlock();
      // The system may wake a worker where the caller runs, since it sleeps soon again: then the two would take turns
      // on one processor, the worker spinning in vain, for as long as it goes on.
      if (const int caller = caller_processor_; caller >= 0 && caller == sched_getcpu()) leave(caller);
    }
    if (stop_) return;
    job = job_.load(std::memory_order_acquire);
    const PieceRef piece = {context_.load(std::memory_order_acquire), call_.load(std::memory_order_acquire)};
    const std::int64_t first = first_.load(std::memory_order_acquire);
    const std::int64_t pieces = pieces_.load(std::memory_order_acquire);
    const int runs = runs_.load(std::memory_order_acquire);
    if (self < runs) finish_pieces(take_pieces(self, job, runs, pieces, first, piece));
  }
}

/// Runs pieces until no slot has one left for `job`; returns how many.
std::int64_t Pool::take_pieces(int self, std::uint64_t job, int runs, std::int64_t pieces, std::int64_t first,
                               PieceRef piece) {
  std::int64_t taken = 0;
  for (int k = 0; k < runs; ++k) {
    const int run = self + k < runs ? self + k : self + k - runs;
    const auto end = static_cast<std::uint64_t>(pieces * (run + 1) / runs);
    std::atomic<std::uint64_t>& slot = slots_[static_cast<std::size_t>(run)].ticket;
    std::uint64_t ticket = slot.load(std::memory_order_acquire);
    while (ticket >> kPieceBits == job && (ticket & kPieceMask) < end) {
      if (!slot.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      failure_.run(piece, first + static_cast<std::int64_t>(ticket & kPieceMask), self);
      ++taken;
      ticket = slot.load(std::memory_order_acquire);
    }
  }
  return taken;
}

void Pool::finish_pieces(std::int64_t count) {
  if (count == 0 || left_.fetch_sub(count) != count) return;
  if (!caller_sleeps_) return;
  const std::lock_guard lock(mutex_);
  done_.notify_all();
}

void Pool::run(std::int64_t first, std::int64_t pieces, PieceRef piece, int most_threads) {
  if (const int wanted = threads(); count_ != wanted) start(wanted);
  const auto runs = static_cast<int>(std::min<std::int64_t>(pieces, std::min(count_, most_threads)));
  const std::uint64_t job = job_.load(std::memory_order_relaxed) + 1;
  left_.store(pieces, std::memory_order_relaxed);
  for (int run = 0; run < runs; ++run) {
    const auto next = static_cast<std::uint64_t>(pieces * run / runs);
    slots_[static_cast<std::size_t>(run)].ticket.store(job << kPieceBits | next, std::memory_order_release);
  }
  context_.store(piece.context, std::memory_order_release);
  call_.store(piece.call, std::memory_order_release);
  first_.store(first, std::memory_order_release);
  pieces_.store(pieces, std::memory_order_release);
  runs_.store(runs, std::memory_order_release);
  job_.store(job);  // sequentially consistent, as the loads of job_ and sleepers_ are: either sees the other
  if (sleepers_ > 0) {
    caller_processor_ = sched_getcpu();
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  {
    const Inside mark;
    finish_pieces(take_pieces(0, job, runs, pieces, first, piece));
  }
  const auto finished = [&] { return left_.load() == 0; };
  if (!spin(finished, spin_)) {
    std::unique_lock lock(mutex_);
    caller_sleeps_ = true;
    done_.wait(lock, finished);
    caller_sleeps_ = false;
  }
}

constinit std::atomic<Pool*> pool = nullptr;
constinit std::atomic<int> thread_count = 0;  // 0: not yet decided

/// The process's pool, made on first use and never destroyed: its workers may be awake when the process ends.
Pool& the_pool() {
  Pool* found = pool.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  Pool* made = new Pool;
  if (pool.compare_exchange_strong(found, made)) return *made;
  delete made;
  return *found;
}

// A forked child has none of the workers, and perhaps a locked mutex: it begins with a new pool.
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  static Pool* abandoned = nullptr;
  Pool* old = pool.exchange(nullptr);
  if (old == nullptr) return;
  old->before_fork = std::exchange(abandoned, old);
});

}  // namespace

int threads() {
  int count = thread_count.load(std::memory_order_relaxed);
  if (count != 0) return count;
  const int found = static_cast<int>(base::environment_int("PELLUCID_THREADS", 1, kMostThreads).value_or(processors()));
  return thread_count.compare_exchange_strong(count, found) ? found : count;
}

void set_threads(int count) {
  if (count < 1 || count > kMostThreads) {
    base::fail("set_threads: {} threads: want a number from 1 to {}", count, kMostThreads);
  }
  if (inside) base::fail("set_threads: called from inside parallel work: call it before");
  Pool& the = the_pool();
  const std::lock_guard lock(the.busy);
  thread_count = count;
  the.stop();
}

void base::detail::run_pieces(std::int64_t pieces, PieceRef piece, int most_threads) {
  if (most_threads <= 0) most_threads = kMostThreads;
  if (inside || most_threads == 1 || threads() == 1) return run_alone(0, pieces, piece);
  Pool& the = the_pool();
  const std::unique_lock lock(the.busy, std::try_to_lock);
  if (!lock) return run_alone(0, pieces, piece);
  constexpr auto kMostPieces = static_cast<std::int64_t>(kPieceMask);
  for (std::int64_t first = 0; first < pieces; first += kMostPieces) {
    the.run(first, std::min(kMostPieces, pieces - first), piece, most_threads);
  }
  the.rethrow();
}

}  // namespace pellucid
