// See lock.h.
#include "lock.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace pellucid::python {

namespace {

std::atomic<bool> over{false};
std::atomic<int> inside{0};  // threads that take the lock, or hold it for the engine
std::thread::id main_thread;

/// Called before the interpreter ends, by the thread that ends it.
void end() {
  main_thread = std::this_thread::get_id();
  over.store(true);
  const nb::gil_scoped_release release;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (inside.load() > 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

void ending::enter() {
  inside.fetch_add(1);
  if (!over.load() || std::this_thread::get_id() == main_thread) return;
  inside.fetch_sub(1);
  while (true) pause();
}

void ending::leave() { inside.fetch_sub(1); }

void bind_ending() {
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&end));
  pthread_atfork(nullptr, nullptr, [] { inside.store(0); });  // the other threads are not there in a child
}

}  // namespace pellucid::python
