// Trees of arrays: nested dicts, lists, tuples, named tuples, dataclasses and modules, taken apart and put together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core.h"

namespace pellucid::python {

/// An array of a module: where it lies, and its name below the module.
struct Slot {
  std::string name;
  Array* value;
  bool buffer;
  bool trainable;
};
/// True for layers and for Python modules (modules.cpp).
bool is_module(nb::handle value);
/// In order of declaration, parameters and buffers together. Settles values that construction drew.
std::vector<Slot> slots_of(nb::handle module);

/// The shape of a tree without its arrays, in preorder. Everything that is neither an array nor a container is part of
/// the shape, compared by ==; None too.
struct Tree {
  enum class Kind : std::uint8_t { kLeaf, kStatic, kList, kTuple, kNamedTuple, kDict, kDataclass, kModule };
  struct Entry {
    Kind kind;
    std::uint32_t count;  // of children; of arrays for modules
    nb::object object;    // the value, type, tuple of keys or of field names, or module
    nb::object type;      // kNamedTuple, kDataclass
  };
  std::vector<Entry> entries;
  std::size_t leaves = 0;

  /// "['w1'][0]" for each leaf; below a module the parameter's name.
  std::vector<std::string> names() const;
};

enum class Numbers { kLeaves, kStatic };

/// Takes `value` apart. Numbers: Python floats and integers are leaves, or part of the shape.
void flatten(nb::handle value, Tree& tree, Arrays& leaves, Numbers numbers = Numbers::kLeaves);
/// The leaves of `value` where it has the shape of `tree`; false where it has another.
bool match(const Tree& tree, nb::handle value, Arrays& leaves, Numbers numbers = Numbers::kLeaves);
/// Leaves of a tree that must have the shape of `tree`: throws ValueError naming `what` otherwise.
Arrays leaves_like(const Tree& tree, nb::handle value, const char* what);

/// Puts the tree together with these leaves. A module becomes a dict of its arrays by name.
nb::object unflatten(const Tree& tree, const Arrays& leaves);

/// While one exists, the modules in a tree hold the given leaves; then their own come back.
class ModuleSwap {
 public:
  ModuleSwap(const Tree& tree, const Arrays& leaves);
  ~ModuleSwap();
  ModuleSwap(const ModuleSwap&) = delete;
  ModuleSwap& operator=(const ModuleSwap&) = delete;
  /// What the modules hold now, in the order of their leaves; and the positions of these among all leaves.
  Arrays current() const;
  const std::vector<std::size_t>& positions() const { return positions_; }

 private:
  std::vector<Array*> slots_;
  std::vector<std::size_t> positions_;
  Arrays own_;
  nb::list alive_;
};

/// The tree put together for a call: modules stand as they are.
nb::object unflatten_for_call(const Tree& tree, const Arrays& leaves);

/// Writes arrays to the modules of a tree (those at ModuleSwap's positions).
void write_back(const Tree& tree, const Arrays& module_leaves, bool buffers_only);

}  // namespace pellucid::python
