// See interrupt.h.
#include "train/interrupt.h"

#include <signal.h>

#include <atomic>
#include <mutex>

namespace pellucid::train {

namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the handler may only touch what needs no lock");

std::mutex mutex;
int scopes = 0;
bool installed = false;
struct sigaction before;

extern "C" void on_interrupt(int) { interrupted.store(true, std::memory_order_relaxed); }

}  // namespace

InterruptScope::InterruptScope(bool wanted) : wanted_(wanted) {
  if (!wanted_) return;
  const std::lock_guard lock(mutex);
  if (scopes++ > 0) return;
  interrupted.store(false, std::memory_order_relaxed);
  installed =
      sigaction(SIGINT, nullptr, &before) == 0 && ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_IGN);
  if (!installed) return;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  installed = sigaction(SIGINT, &action, nullptr) == 0;
}

InterruptScope::~InterruptScope() {
  if (!wanted_) return;
  const std::lock_guard lock(mutex);
  if (--scopes == 0 && installed) sigaction(SIGINT, &before, nullptr);
}

bool InterruptScope::requested() const { return wanted_ && interrupted.load(std::memory_order_relaxed); }

}  // namespace pellucid::train
