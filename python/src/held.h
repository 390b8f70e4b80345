// Python objects that the engine keeps: they may be let go on any thread, with or without the interpreter's lock.
#pragma once

#include <memory>
#include <utility>

#include "core.h"

namespace pellucid::python {

/// Frees `value` while holding the interpreter's lock; leaks it where the interpreter has ended.
template <class T>
std::shared_ptr<T> held_value(T value) {
  return std::shared_ptr<T>(new T(std::move(value)), [](T* p) {
    if (Py_IsInitialized() == 0) return;
    const Locked lock;
    delete p;
  });
}

/// A counted Python object that can be copied without the lock.
class Held {
 public:
  Held() = default;
  explicit Held(nb::object object) : object_(held_value(std::move(object))) {}
  nb::handle get() const { return object_ ? nb::handle(*object_) : nb::handle(); }

 private:
  std::shared_ptr<nb::object> object_;
};
inline Held hold(nb::handle object) { return Held(nb::borrow(object)); }

}  // namespace pellucid::python
