// Keyword options that Python passes on as a dict.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "core.h"
#include "held.h"
#include "pellucid/train.h"

namespace pellucid::python {

/// Reads options by their names. `what` begins messages: "fit".
class Options {
 public:
  Options(const char* what, const nb::dict& given) : what_(what), given_(given) {}
  nb::object at(const char* name) const { return nb::object(given_[name]); }

  template <class T>
  void take(const char* name, T& into, const char* wanted) const {
    const nb::object value = at(name);
    if (PyBool_Check(value.ptr()) != std::is_same_v<T, bool> || !nb::try_cast(value, into)) refuse(name, wanted, value);
  }
  /// None leaves it absent.
  template <class T>
  void take(const char* name, std::optional<T>& into, const char* wanted) const {
    if (at(name).is_none()) return;
    T value;
    take(name, value, wanted);
    into = std::move(value);
  }
  /// A function, or nothing where it is None.
  Held callback(const char* name) const {
    const nb::object f = at(name);
    if (f.is_none()) return {};
    if (PyCallable_Check(f.ptr()) == 0) refuse(name, "a function", f);
    return hold(f);
  }
  /// Throws TypeError: "fit: 'batch_size' is an integer, not 2.5".
  [[noreturn]] void refuse(const char* name, const char* wanted, nb::handle given) const {
    throw nb::type_error(
        (std::string(what_) + ": '" + name + "' is " + wanted + ", not " + nb::cast<std::string>(nb::repr(given)))
            .c_str());
  }

 private:
  const char* what_;
  const nb::dict& given_;
};

constexpr const char* kInteger = "an integer";
constexpr const char* kNumber = "a number";
constexpr const char* kBool = "True or False";
constexpr const char* kText = "text";
constexpr const char* kTexts = "a list of texts";

/// os.fspath, as UTF-8.
std::string path_of(nb::handle path);

/// A dict of arrays by name as the state of an optimiser, and back into the same dict.
OptimizerState state_from(nb::handle dict, const char* what);
void give_state(const OptimizerState& state, nb::handle dict);

/// What a callback says: False stops, anything else (None too) goes on.
bool goes_on(nb::handle answer);

/// on_epoch, on_progress, checkpoint and catch_interrupt, which fit and fit_table have alike.
template <class O>
void take_callbacks(const Options& o, O& options);

}  // namespace pellucid::python
