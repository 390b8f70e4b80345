// See modules.h. Layers and modules for Python: pellucid/nn.py gives them their classes.
#include "modules.h"

#include <algorithm>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "pellucid/networks.h"
#include "pellucid/nn_attention.h"
#include "pellucid/nn_normalization.h"
#include "pellucid/nn_sequence.h"
#include "pellucid/nn_table.h"
#include "pellucid/precision.h"
#include "tree.h"

namespace pellucid::python {

namespace {

PyTypeObject* module_type = nullptr;      // pellucid.nn.Module
PyObject* layer_types_by_name = nullptr;  // {"Linear": pellucid.nn.Linear, ...}

bool is_python_module(nb::handle value) {
  return module_type != nullptr && PyType_IsSubtype(Py_TYPE(value.ptr()), module_type) != 0;
}

void visit_value(PyModule& owner, nn::Visitor& visitor, const std::string& name, nb::handle value) {
  PyObject* o = value.ptr();
  if (nb::isinstance<nn::Parameter>(value)) {
    visitor.member(name, *nb::inst_ptr<nn::Parameter>(value));
  } else if (nb::isinstance<nn::Buffer>(value)) {
    visitor.member(name, *nb::inst_ptr<nn::Buffer>(value));
  } else if (nb::isinstance<LayerHandle>(value)) {
    visitor.member(name, *nb::inst_ptr<LayerHandle>(value));
  } else if (is_python_module(value)) {
    std::unique_ptr<PyModule>& child = owner.children[o];
    if (child == nullptr) child = std::make_unique<PyModule>(value);
    visitor.member(name, *child);
  } else if (PyList_Check(o) || PyTuple_Check(o)) {
    const Py_ssize_t n = PySequence_Size(o);
    for (Py_ssize_t i = 0; i < n; ++i) {
      const nb::object item = nb::steal(PySequence_GetItem(o, i));
      visit_value(owner, visitor, name + "." + std::to_string(i), item);
    }
  } else if (PyDict_Check(o)) {
    PyObject *key = nullptr, *item = nullptr;
    Py_ssize_t at = 0;
    while (PyDict_Next(o, &at, &key, &item) != 0) {
      if (PyUnicode_Check(key)) visit_value(owner, visitor, name + "." + PyUnicode_AsUTF8(key), item);
    }
  }
}

/// Everything with an array, and the layers' paths for messages.
class Slots : public nn::Visitor {
 public:
  void parameter(const std::string& path, nn::Parameter& p) override {
    if (!p.value.defined()) return;
    static_cast<void>(static_cast<const Array&>(p));  // a value that was drawn is kept
    slots.push_back({path, &p.value, false, p.trainable});
  }
  void array(const std::string& path, Array& a) override {
    if (a.defined()) slots.push_back({path, &a, false, true});
  }
  void buffer(const std::string& path, nn::Buffer& b) override {
    if (b.value.defined()) slots.push_back({path, &b.value, true, false});
  }
  void enter(const std::string& path, std::string_view, nn::Ref module) override {
    nn::Layer* layer = module.layer();
    if (layer != nullptr && layer->path != path) layer->path = path;
  }
  std::vector<Slot> slots;
};

/// The direct members of a layer.
class Members : public nn::Visitor {
 public:
  explicit Members(std::string wanted) : wanted_(std::move(wanted)) {}
  void parameter(const std::string& path, nn::Parameter& p) override { take(path, &p, nullptr, nullptr); }
  void buffer(const std::string& path, nn::Buffer& b) override { take(path, nullptr, &b, nullptr); }
  void enter(const std::string& path, std::string_view, nn::Ref module) override {
    if (!path.empty()) take(path, nullptr, nullptr, &module);
  }
  nn::Parameter* found_parameter = nullptr;
  nn::Buffer* found_buffer = nullptr;
  std::optional<nn::Ref> found_module;
  std::vector<std::string> names;  // of direct members

 private:
  void take(const std::string& path, nn::Parameter* p, nn::Buffer* b, nn::Ref* module) {
    if (path == wanted_) {
      found_parameter = p;
      found_buffer = b;
      if (module != nullptr) found_module = *module;
    }
    for (const std::string& known : names) {
      if (path.size() > known.size() && path.compare(0, known.size() + 1, known + ".") == 0) return;
    }
    names.push_back(path);
  }
  std::string wanted_;
};

nn::Option option_of(const std::string& name, nb::handle value) {
  if (PyBool_Check(value.ptr())) return value.ptr() == Py_True;
  if (PyLong_Check(value.ptr()) || (PyIndex_Check(value.ptr()) != 0))
    return nb::cast<std::int64_t>(nb::int_(nb::borrow(value)));
  if (PyFloat_Check(value.ptr())) return nb::cast<double>(value);
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  Shape list;
  if ((PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) && to_shape(value, list)) return list;
  throw nb::type_error(("the setting '" + name + "' is a bool, a number, text or a list of integers").c_str());
}

nb::object option_object(const nn::Option& option) {
  return std::visit([](const auto& value) { return nb::cast(value); }, option);
}

/// A Python object of the class that is registered for the layer's type.
nb::object handle_object(LayerHandle handle) {
  PyObject* type = nullptr;
  if (layer_types_by_name != nullptr) {
    type = PyDict_GetItemString(layer_types_by_name, std::string(handle.ref().type()).c_str());
  }
  if (type == nullptr) return nb::cast(std::move(handle));
  nb::object object = nb::inst_alloc(nb::handle(type));
  new (nb::inst_ptr<LayerHandle>(object)) LayerHandle(std::move(handle));
  nb::inst_mark_ready(object);
  return object;
}

std::shared_ptr<nn::AnyLayer> make_layer(const std::string& type, const nb::dict& settings, const nb::list& layers) {
  std::vector<nn::AnyLayer> given;
  for (nb::handle layer : layers) given.push_back(any_layer(layer));
  const auto setting = [&](const char* name) { return nb::object(settings[name]); };
  if (type == "Sequential") return std::make_shared<nn::AnyLayer>(nn::Sequential(std::move(given)));
  if (type == "Residual") return std::make_shared<nn::AnyLayer>(nn::Residual(std::move(given)));
  if (type == "WeightNorm" && given.size() == 1) return std::make_shared<nn::AnyLayer>(nn::WeightNorm(given[0]));
  if (type == "SpectralNorm" && given.size() == 1) {
    return std::make_shared<nn::AnyLayer>(nn::SpectralNorm(given[0], nb::cast<std::int64_t>(setting("iterations")),
                                                           nb::cast<double>(setting("epsilon"))));
  }
  if (type == "Ensemble" || type == "Blend") {
    const nn::EnsembleMean mean = nn::ensemble_mean(nb::cast<std::string>(setting("mean")), type);
    if (type == "Blend") return std::make_shared<nn::AnyLayer>(nn::Blend(mean, std::move(given)));
    return std::make_shared<nn::AnyLayer>(
        nn::Ensemble(nb::cast<std::int64_t>(setting("members")), mean, std::move(given)));
  }
  nn::Description description;
  description.type = type;
  for (const auto& [key, value] : settings) {
    if (value.is_none()) continue;  // absent
    const auto name = nb::cast<std::string>(key);
    description.options.emplace_back(name, option_of(name, value));
  }
  return std::make_shared<nn::AnyLayer>(nn::build(description));
}

nb::dict named_dict(const std::vector<nn::NamedArray>& arrays) {
  nb::dict dict;
  for (const nn::NamedArray& a : arrays) dict[a.name.c_str()] = nb::cast(a.value);
  return dict;
}

void load_state(nb::handle module, const nb::dict& state, bool partial) {
  std::vector<nn::NamedArray> arrays;
  for (const auto& [key, value] : state) {
    arrays.push_back({nb::cast<std::string>(key), as_array(value, "load_state_dict"), true});
  }
  with_module(module, [&](nn::Ref ref) { nn::set_arrays(ref, arrays, partial); });
}

nn::AttentionInputs attention_inputs(const MaybeOperand& memory, const MaybeOperand& mask,
                                     const MaybeOperand& lengths) {
  nn::AttentionInputs inputs;
  inputs.memory = memory.array;
  inputs.mask = mask.array;
  inputs.lengths = lengths.array;
  return inputs;
}

/// A layer with more inputs than x, or null.
template <class L>
L* as_layer(const LayerHandle& handle, std::initializer_list<std::string_view> types) {
  nn::Ref ref = handle.ref();
  for (const std::string_view type : types) {
    if (ref.type() == type) return static_cast<L*>(ref.layer());
  }
  return nullptr;
}

struct ContextHolder {
  ContextHolder() = default;
  ContextHolder(const ContextHolder&) = delete;
  ContextHolder& operator=(const ContextHolder&) = delete;
  std::optional<Array> key;  // absent: evaluation
  std::vector<std::unique_ptr<nn::Context>> open;
  struct Evaluation {
    nn::Context context = nn::Context::evaluation();
  };
  std::vector<std::unique_ptr<Evaluation>> open_evaluation;
};

struct PrecisionHolder {
  explicit PrecisionHolder(Precision p) : precision(p) {}
  PrecisionHolder(const PrecisionHolder&) = delete;
  PrecisionHolder& operator=(const PrecisionHolder&) = delete;
  Precision precision;
  std::vector<std::unique_ptr<PrecisionScope>> open;
};

}  // namespace

nb::object layer_object(std::shared_ptr<nn::AnyLayer> layer) { return handle_object(LayerHandle(std::move(layer))); }

bool is_module(nb::handle value) { return nb::isinstance<LayerHandle>(value) || is_python_module(value); }

void check_module(nb::handle module, const char* what) {
  if (is_module(module)) return;
  const std::string type = nb::cast<std::string>(nb::str(module.type().attr("__name__")));
  throw nb::type_error(
      (std::string(what) + ": a " + type + " is no module; give a layer or an object of a class derived from nn.Module")
          .c_str());
}

std::vector<Slot> slots_of(nb::handle module) {
  Slots visitor;
  with_module(module, [&](nn::Ref ref) { visitor.walk(ref); });
  return std::move(visitor.slots);
}

nn::AnyLayer any_layer(nb::handle value) {
  if (nb::isinstance<LayerHandle>(value)) return *nb::inst_ptr<LayerHandle>(value);
  if (is_python_module(value)) return PyModule(value);
  if (PyCallable_Check(value.ptr()) == 0 || PyType_Check(value.ptr())) {
    throw nb::type_error(
        ("a layer is an nn.Module or a function of one array, not " + nb::cast<std::string>(nb::repr(value))).c_str());
  }
  const Held f = hold(value);
  return std::function<Array(const Array&)>([f](const Array& x) {
    const Locked lock;
    return as_array(f.get()(nb::cast(x)), "a function as a layer");
  });
}

Array PyModule::operator()(const Array& x) const {
  const Locked lock;
  return as_array(self.get()(nb::cast(x)), "the module's result");
}

void PyModule::visit_members(nn::Visitor& visitor) {
  const Locked lock;
  thread_local std::vector<PyObject*> open;  // the modules around this one
  if (std::find(open.begin(), open.end(), self.get().ptr()) != open.end()) {
    const std::string type = nb::cast<std::string>(nb::str(self.get().type().attr("__name__")));
    throw nb::value_error(
        ("a " + type + " is a member of itself; attributes are members, so keep it elsewhere").c_str());
  }
  open.push_back(self.get().ptr());
  struct Close {
    ~Close() { open.pop_back(); }
  } close;
  const nb::object attributes = nb::getattr(self.get(), "__dict__", nb::none());
  if (!PyDict_Check(attributes.ptr())) return;
  PyObject *key = nullptr, *value = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(attributes.ptr(), &at, &key, &value) != 0) {
    if (PyUnicode_Check(key)) visit_value(*this, visitor, PyUnicode_AsUTF8(key), value);
  }
}

namespace {

void bind_layer(nb::module_& m) {
  nb::class_<LayerHandle> layer(m, "_Layer", nb::dynamic_attr(), nb::is_weak_referenceable());
  layer.def("__init__", [](LayerHandle* self, const std::string& type, const nb::dict& settings,
                           const nb::list& layers) { new (self) LayerHandle(make_layer(type, settings, layers)); });
  layer.def(
      "__call__", [](const LayerHandle& self, const Operand& x) { return self(x); }, nb::arg("x"),
      "The layer's output for x.");
  layer.def_prop_ro("_type", [](const LayerHandle& self) { return std::string(self.ref().type()); });
  layer.def_prop_ro("_settings", [](const LayerHandle& self) {
    nb::dict dict;
    for (const auto& [name, option] : self.ref().options()) dict[name.c_str()] = option_object(option);
    return dict;
  });
  layer.def("_member", [](nb::handle object, const std::string& name) -> nb::object {
    const LayerHandle& self = *nb::inst_ptr<LayerHandle>(object);
    Members members(name);
    members.walk(self.ref());
    if (members.found_parameter != nullptr) {
      if (!members.found_parameter->value.defined()) return nb::none();
      return nb::cast(members.found_parameter, nb::rv_policy::reference_internal, object);
    }
    if (members.found_buffer != nullptr)
      return nb::cast(members.found_buffer, nb::rv_policy::reference_internal, object);
    if (members.found_module) return handle_object(LayerHandle(self.owner, *members.found_module));
    return nb::borrow(Py_NotImplemented);
  });
  layer.def("_members", [](const LayerHandle& self) {
    Members members("");
    members.walk(self.ref());
    return members.names;
  });
  layer.def("_copy", [](nb::handle object) {
    const LayerHandle& self = *nb::inst_ptr<LayerHandle>(object);
    const nn::Description description = self.ref().description();
    LayerHandle copy(std::make_shared<nn::AnyLayer>(nn::build(description)));
    std::vector<nn::NamedArray> arrays = nn::named_parameters(self.ref());
    for (const nn::NamedArray& b : nn::named_buffers(self.ref())) arrays.push_back(b);
    nn::set_arrays(copy.ref(), arrays);
    return handle_object(std::move(copy));
  });
  m.def("_build", [](const std::string& json) {
    return handle_object(std::make_shared<nn::AnyLayer>(nn::build(nn::description_from_json(json))));
  });
  m.def("_layer_types", &nn::layer_types);
  m.def(
      "_recurrent",
      [](const LayerHandle& self, const Operand& x, const MaybeOperand& lengths, const MaybeOperand& hidden,
         const MaybeOperand& cell) {
        const auto* layer = as_layer<nn::Recurrent>(self, {"RNN", "LSTM", "GRU"});
        if (layer == nullptr) throw nb::type_error("states: this is no recurrent layer");
        const nn::RecurrentResult result = (*layer)(x, {lengths.array, {hidden.array, cell.array}});
        return nb::make_tuple(result.outputs, result.last.hidden,
                              result.last.cell.defined() ? nb::cast(result.last.cell) : nb::none());
      },
      nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg().none());
  m.def(
      "_attend",
      [](const LayerHandle& self, const Operand& x, const MaybeOperand& memory, const MaybeOperand& mask,
         const MaybeOperand& lengths) {
        const nn::AttentionInputs inputs = attention_inputs(memory, mask, lengths);
        if (const auto* l = as_layer<nn::MultiHeadAttention>(self, {"MultiHeadAttention"})) return (*l)(x, inputs);
        if (const auto* l = as_layer<nn::TransformerEncoderLayer>(self, {"TransformerEncoderLayer"}))
          return (*l)(x, inputs);
        if (const auto* l = as_layer<nn::TransformerEncoder>(self, {"TransformerEncoder"})) return (*l)(x, inputs);
        throw nb::type_error("attention: this layer takes one array");
      },
      nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg().none());
}

void bind_module_functions(nb::module_& m) {
  m.def("_register_modules", [](nb::handle type, nb::handle types) {
    module_type = reinterpret_cast<PyTypeObject*>(type.inc_ref().ptr());
    layer_types_by_name = types.inc_ref().ptr();
  });
  m.def("_is_module", &is_module);
  m.def("_named_parameters", [](nb::handle module) {
    return with_module(module, [](nn::Ref ref) { return named_dict(nn::named_parameters(ref)); });
  });
  m.def("_named_buffers", [](nb::handle module) {
    return with_module(module, [](nn::Ref ref) { return named_dict(nn::named_buffers(ref)); });
  });
  m.def("_trainable", [](nb::handle module) {
    nb::dict dict;
    for (const Slot& slot : slots_of(module)) {
      if (!slot.buffer) dict[slot.name.c_str()] = slot.trainable;
    }
    return dict;
  });
  m.def("_load_state", &load_state);
  m.def("_parameter_count", [](nb::handle module, bool trainable_only) {
    return with_module(module, [&](nn::Ref ref) { return nn::parameter_count(ref, trainable_only); });
  });
  m.def("_freeze", [](nb::handle module, const std::string& pattern, bool freeze) {
    return with_module(module,
                       [&](nn::Ref ref) { return freeze ? nn::freeze(ref, pattern) : nn::unfreeze(ref, pattern); });
  });
  m.def("_set_mode", [](nb::handle module, int mode) {
    with_module(module, [&](nn::Ref ref) { nn::set_mode(ref, static_cast<nn::Mode>(mode)); });
  });
  m.def("_astype",
        [](nb::handle module, DType dtype) { with_module(module, [&](nn::Ref ref) { nn::astype(ref, dtype); }); });
  m.def("_initialize", [](nb::handle module, const Operand& key) {
    with_module(module, [&](nn::Ref ref) { nn::initialize(ref, key.array); });
  });
  m.def("_describe", [](nb::handle module) {
    return with_module(module, [](nn::Ref ref) { return nn::to_json(nn::describe(ref)); });
  });
  m.def("_summary", [](nb::handle module, const Operand& x) {
    return with_module(module, [&](nn::Ref ref) { return nn::summary(ref, x); });
  });
  m.def("_fold_batch_norm", [](nb::handle module, const Operand& x) {
    return with_module(module, [&](nn::Ref ref) { return nn::fold_batch_norm(ref, x); });
  });
}

void bind_scopes(nb::module_& m) {
  nb::class_<ContextHolder> context(m, "Context",
                                    "with Context(key): calls of layers are part of training; random layers take their "
                                    "keys from `key`. Without a key: "
                                    "evaluation, also inside a Context that trains.");
  context.def(
      "__init__",
      [](ContextHolder* self, const MaybeOperand& key) {
        new (self) ContextHolder();
        if (key.array.defined()) self->key = key.array;
      },
      nb::arg("key") = nb::none());
  context.def("__enter__", [](nb::handle object) {
    auto* self = nb::inst_ptr<ContextHolder>(object);
    if (self->key) {
      self->open.push_back(std::make_unique<nn::Context>(*self->key));
    } else {
      self->open_evaluation.push_back(std::make_unique<ContextHolder::Evaluation>());
    }
    return nb::borrow(object);
  });
  context.def("__exit__", [](ContextHolder& self, nb::args) {
    if (self.key) {
      self.open.pop_back();
    } else {
      self.open_evaluation.pop_back();
    }
  });
  context.def_static("training", &nn::Context::training, "Is a Context of this thread training?");
  nb::class_<PrecisionHolder> precision(m, "precision",
                                        "with precision(\"bfloat16\"): contractions and convolutions of float32 arrays "
                                        "round their operands to bfloat16 and "
                                        "sum in float32. \"float32\": as they are.");
  precision.def(
      "__init__",
      [](PrecisionHolder* self, const std::string& name) { new (self) PrecisionHolder(precision_by_name(name)); },
      nb::arg("name"));
  precision.def("__enter__", [](nb::handle object) {
    auto* self = nb::inst_ptr<PrecisionHolder>(object);
    self->open.push_back(std::make_unique<PrecisionScope>(self->precision));
    return nb::borrow(object);
  });
  precision.def("__exit__", [](PrecisionHolder& self, nb::args) { self.open.pop_back(); });
}

}  // namespace

void bind_nn(nb::module_& m) {
  bind_layer(m);
  bind_module_functions(m);
  bind_scopes(m);
}

}  // namespace pellucid::python
