// Modules as Python holds them: handles on the engine's layers, and Python classes that the engine walks through.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core.h"
#include "held.h"
#include "pellucid/nn.h"

namespace pellucid::python {

/// A Python object of a class derived from pellucid.nn.Module. Its attributes are its members: parameters, buffers,
/// layers, modules, and lists, tuples and dicts of these.
struct PyModule : nn::Module {
  explicit PyModule(nb::handle object) : self(hold(object)) {}
  PyModule(const PyModule& other) : self(other.self) {}
  PyModule& operator=(const PyModule&) = delete;
  Array operator()(const Array& x) const;
  void visit_members(nn::Visitor& visitor);
  static constexpr std::string_view type_name() { return "Module"; }

  Held self;
  std::map<PyObject*, std::unique_ptr<PyModule>> children;
};

/// A layer of the engine, or a part of one, and who keeps it alive. Copies are the same layer.
struct LayerHandle : nn::Module {
  LayerHandle(std::shared_ptr<nn::AnyLayer> layer) : owner(layer), reference(layer->ref()) {}  // NOLINT
  LayerHandle(std::shared_ptr<nn::AnyLayer> whole, nn::Ref part) : owner(std::move(whole)), reference(part) {}
  Array operator()(const Array& x) const { return nn::Ref(reference)(x); }
  nn::Ref ref() const { return reference; }

  std::shared_ptr<nn::AnyLayer> owner;
  nn::Ref reference;
};

/// Calls f(nn::Ref) for a layer or a Python module; throws TypeError for anything else.
template <class F>
auto with_module(nb::handle module, F f) {
  if (nb::isinstance<LayerHandle>(module)) return f(nb::inst_ptr<LayerHandle>(module)->ref());
  PyModule python(module);
  return f(nn::Ref(python));
}
void check_module(nb::handle module, const char* what);

/// A layer of the engine as a Python object.
nb::object layer_object(std::shared_ptr<nn::AnyLayer> layer);

/// Something callable as a layer: a layer, a Python module, or a function of one array.
nn::AnyLayer any_layer(nb::handle value);

}  // namespace pellucid::python
