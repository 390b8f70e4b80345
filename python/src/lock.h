// The interpreter's lock, let go and taken again. Beyond nanobind's own: a thread of the background that is at work
// when the interpreter ends stays where it is, where Python would end it by unwinding through the engine.
#pragma once

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace pellucid::python {

namespace ending {
/// Before a thread takes the lock: does not return where the interpreter is ending.
void enter();
/// After it has let the lock go, or is back in Python.
void leave();
}  // namespace ending

/// While one exists, this thread does not hold the lock. It must hold it before.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() {
    ending::enter();
    PyEval_RestoreThread(state_);
    ending::leave();
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

/// While one exists, this thread holds the lock; it may hold it already.
class Locked {
 public:
  Locked() : held_(PyGILState_Check() != 0) {
    if (held_) return;
    ending::enter();
    state_ = PyGILState_Ensure();
  }
  ~Locked() {
    if (held_) return;
    PyGILState_Release(state_);
    ending::leave();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  bool held_;
  PyGILState_STATE state_{};
};

/// Makes the end of the interpreter wait until no thread of the background runs Python for the engine.
void bind_ending();

}  // namespace pellucid::python
