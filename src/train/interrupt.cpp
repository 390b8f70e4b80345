// See interrupt.h.
#include "train/interrupt.h"

#include <signal.h>

#include <atomic>
#include <iterator>
#include <mutex>

namespace pellucid::train {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> noted{0};
static_assert(std::atomic<int>::is_always_lock_free, "the handler may only touch what needs no lock");

std::mutex mutex;
int scopes = 0;
bool installed[std::size(kSignals)];
struct sigaction before[std::size(kSignals)];

// A second signal of whatever kind is back at its default, and is taken when the handler has returned.
extern "C" void on_signal(int number) {
  if (noted.exchange(number, std::memory_order_relaxed) == 0) return;
  signal(number, SIG_DFL);
  raise(number);
}

bool install(int number, struct sigaction& old) {
  if (sigaction(number, nullptr, &old) != 0) return false;
  if ((old.sa_flags & SA_SIGINFO) == 0 && old.sa_handler == SIG_IGN) return false;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return sigaction(number, &action, nullptr) == 0;
}

}  // namespace

InterruptScope::InterruptScope(bool wanted) : wanted_(wanted) {
  if (!wanted_) return;
  const std::lock_guard lock(mutex);
  if (scopes++ > 0) return;
  noted.store(0, std::memory_order_relaxed);
  for (std::size_t i = 0; i < std::size(kSignals); ++i) installed[i] = install(kSignals[i], before[i]);
}

InterruptScope::~InterruptScope() {
  if (!wanted_) return;
  const std::lock_guard lock(mutex);
  if (--scopes > 0) return;
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    if (installed[i]) sigaction(kSignals[i], &before[i], nullptr);
  }
}

int InterruptScope::signal() const { return wanted_ ? noted.load(std::memory_order_relaxed) : 0; }

const char* signal_name(int signal) { return signal == SIGTERM ? "SIGTERM" : signal == SIGHUP ? "SIGHUP" : "SIGINT"; }

}  // namespace pellucid::train
