// Compiled functions of trees: one plan for each structure, shape and type.
#include <nanobind/stl/string.h>

#include <mutex>

#include "array/node.h"
#include "core.h"
#include "held.h"
#include "pellucid/module.h"
#include "pellucid/precision.h"
#include "pellucid/transform.h"
#include "tree.h"

namespace pellucid::python {

std::recursive_mutex& evaluation_mutex();  // exchange.cpp

namespace {

/// The plan of one signature.
struct Variant {
  Tree in;
  std::vector<Shape> shapes;
  std::vector<DType> types;
  bool training = false;
  bool keywords = false;             // `in` is (args, kwargs), else args
  std::size_t state = 0;             // leading leaves that a step replaces
  std::vector<std::size_t> changed;  // of the modules' leaves: those that the call leaves changed
  Tree out;
  std::size_t results = 0;
  std::unique_ptr<Compiled> compiled;
  std::mutex mutex;

  bool fits(const Arrays& leaves) const {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const bool defined = leaves[i].defined();
      if (leaves[i].dtype() != types[i] || !defined || leaves[i].shape() != shapes[i]) return false;
    }
    return true;
  }
};

struct CompiledFunction {
  nb::object f;
  std::string name;
  std::vector<std::shared_ptr<Variant>> variants;
  std::shared_ptr<Variant> last;

  std::shared_ptr<Variant> find(nb::handle given, bool keywords, std::size_t state, Arrays& leaves) {
    const bool training = nn::Context::training();
    const auto same = [&](const Variant& v) {
      return v.keywords == keywords && v.training == training && v.state == state && match(v.in, given, leaves) &&
             v.fits(leaves);
    };
    if (last && same(*last)) return last;
    for (const auto& known : variants) {
      if (known != last && same(*known)) return last = known;
    }
    return {};
  }
};

nb::object call(nb::handle f, nb::handle args, nb::handle kwargs) {
  PyObject* result = PyObject_Call(f.ptr(), args.ptr(), kwargs.is_valid() ? kwargs.ptr() : nullptr);
  if (result == nullptr) throw nb::python_error();
  return nb::steal(result);
}

/// Calls the Python function with leaves that have no value.
Arrays trace(Variant* v, nb::handle f, const Arrays& leaves) {
  const Locked gil;
  const ModuleSwap swap(v->in, leaves);
  const nb::object given = unflatten_for_call(v->in, leaves);
  const nb::object result = v->keywords ? call(f, given[0], given[1]) : call(f, given, {});
  Arrays outputs;
  v->out = {};
  v->changed.clear();
  if (v->state > 0) {
    if (!PyTuple_Check(result.ptr()) || PyTuple_GET_SIZE(result.ptr()) != 2) {
      throw nb::type_error("step: the function returns (new state, anything else)");
    }
    Tree state;
    const nb::object args = v->keywords ? nb::object(given[0]) : given;
    Arrays old;
    flatten(args[0], state, old);
    outputs = leaves_like(state, result[0], "step: the new state");
    flatten(result[1], v->out, outputs);
    v->out.leaves = outputs.size() - v->state;
    v->results = outputs.size() - v->state;
    // Outputs that are an argument itself are copied by the plan as any other.
    return outputs;
  }
  flatten(result, v->out, outputs);
  v->results = outputs.size();
  const Arrays current = swap.current();
  for (std::size_t i = 0; i < current.size(); ++i) {
    if (current[i].same(leaves[swap.positions()[i]])) continue;
    v->changed.push_back(i);
    outputs.push_back(current[i]);
  }
  return outputs;
}

std::shared_ptr<Variant> make(CompiledFunction& self, nb::handle given, bool keywords, std::size_t state,
                              Arrays& leaves) {
  auto v = std::make_shared<Variant>();
  leaves.clear();
  flatten(given, v->in, leaves);
  v->keywords = keywords;
  v->state = state;
  v->training = nn::Context::training();
  for (const Array& x : leaves) {
    v->shapes.push_back(x.shape());
    v->types.push_back(x.dtype());
  }
  Variant* raw = v.get();
  const nb::handle f = self.f;
  v->compiled =
      std::make_unique<Compiled>([raw, f](const Arrays& x) { return trace(raw, f, x); }, CompileOptions{self.name});
  return v;
}

/// The plan of these leaves, or one that is yet to be traced: then `tracing` is locked, and stays so until the plan is
/// among the others, so that of several threads one traces.
std::shared_ptr<Variant> plan_for(CompiledFunction& self, nb::handle given, bool keywords, std::size_t state,
                                  Arrays& leaves, std::unique_lock<std::recursive_mutex>& tracing) {
  std::shared_ptr<Variant> v = self.find(given, keywords, state, leaves);
  if (v) return v;
  {
    const Unlocked release;
    tracing = std::unique_lock(evaluation_mutex());
  }
  v = self.find(given, keywords, state, leaves);
  if (!v) return make(self, given, keywords, state, leaves);
  tracing.unlock();
  return v;
}

struct Given {
  nb::object tree;
  bool keywords;
};
Given given_of(nb::args& args, nb::kwargs& kwargs) {
  const bool keywords = PyDict_GET_SIZE(kwargs.ptr()) > 0;
  return {keywords ? nb::object(nb::make_tuple(args, kwargs)) : nb::object(args), keywords};
}

nb::object run(CompiledFunction& self, nb::args args, nb::kwargs kwargs) {
  if (array::KeepGraph::active()) return call(self.f, args, kwargs);  // a transform is looking: it sees through
  const Given given = given_of(args, kwargs);
  Arrays leaves;
  std::unique_lock<std::recursive_mutex> tracing;
  std::shared_ptr<Variant> v = plan_for(self, given.tree, given.keywords, 0, leaves, tracing);
  const bool fresh = tracing.owns_lock();
  evaluate_released(leaves);
  Arrays outputs;
  {
    const Unlocked release;
    const std::lock_guard lock(v->mutex);
    outputs = (*v->compiled)(leaves);
  }
  if (fresh) {
    self.variants.push_back(v);
    self.last = v;
  }
  if (!v->changed.empty()) {
    std::vector<Array*> slots;
    for (const Tree::Entry& entry : v->in.entries) {
      if (entry.kind != Tree::Kind::kModule) continue;
      for (const Slot& slot : slots_of(entry.object)) slots.push_back(slot.value);
    }
    for (std::size_t i = 0; i < v->changed.size(); ++i) *slots[v->changed[i]] = outputs[v->results + i];
  }
  return unflatten(v->out, outputs);
}

/// Array objects that nobody but the state's containers holds: those that others hold are replaced by new ones.
class State {
 public:
  explicit State(nb::handle tree) {
    if (array_in(tree) != nullptr) {
      throw nb::type_error(
          "step: the state is changed in place, so it is a list, a dict, a dataclass or a module of "
          "arrays, not an array");
    }
    collect(tree);
  }
  std::vector<Array*> slots;

 private:
  template <class Replace>
  void leaf(nb::handle item, Replace replace) {
    if (const Array* array = array_in(item)) {
      if (!nb::isinstance<Array>(item)) {  // a Parameter or Buffer is a place of its own
        slots.push_back(const_cast<Array*>(array));
        return;
      }
      if (Py_REFCNT(item.ptr()) == 1 && !array->weak()) {
        slots.push_back(const_cast<Array*>(array));
        return;
      }
    } else if (!PyFloat_Check(item.ptr()) && (!PyLong_Check(item.ptr()) || PyBool_Check(item.ptr()))) {
      collect(item);
      return;
    }
    Array value = as_array(item, "step");
    if (value.weak()) value = Array::from_memory(value.raw_data(), 1, {}, value.dtype());
    nb::object fresh = nb::cast(std::move(value));
    slots.push_back(nb::inst_ptr<Array>(fresh));
    replace(fresh);
  }
  void collect(nb::handle tree) {
    PyObject* o = tree.ptr();
    if (PyDict_CheckExact(o)) {
      nb::object keys = nb::steal(PyDict_Keys(o));
      if (PyList_Sort(keys.ptr()) != 0) PyErr_Clear();
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys.ptr()); ++i) {
        PyObject* key = PyList_GET_ITEM(keys.ptr(), i);
        leaf(PyDict_GetItem(o, key), [&](nb::handle fresh) { PyDict_SetItem(o, key, fresh.ptr()); });
      }
    } else if (PyList_CheckExact(o)) {
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(o); ++i) {
        leaf(PyList_GET_ITEM(o, i), [&](nb::object fresh) { PyList_SetItem(o, i, fresh.release().ptr()); });
      }
    } else if (PyTuple_Check(o)) {
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(o); ++i) {
        leaf(PyTuple_GET_ITEM(o, i), [&](nb::handle) {
          throw nb::type_error(
              "step: arrays of the state are changed in place, so they cannot stand in a tuple; use a "
              "list or a dict");
        });
      }
    } else if (is_module(tree)) {
      for (const Slot& slot : slots_of(tree)) slots.push_back(slot.value);
    } else if (nb::hasattr(tree.type(), "__dataclass_fields__")) {
      for (nb::handle name : nb::object(tree.type().attr("__dataclass_fields__"))) {
        const nb::object item = nb::getattr(tree, name);
        leaf(item, [&](nb::handle fresh) { nb::setattr(tree, name, fresh); });
      }
    }
  }
};

nb::object step(CompiledFunction& self, nb::args args, nb::kwargs kwargs) {
  if (args.size() == 0) throw nb::type_error("step: the first argument is the state");
  const State state(args[0]);
  const std::size_t n = state.slots.size();
  if (n == 0) throw nb::type_error("step: the state holds no arrays");
  const Given given = given_of(args, kwargs);
  Arrays leaves;
  std::unique_lock<std::recursive_mutex> tracing;
  std::shared_ptr<Variant> v = plan_for(self, given.tree, given.keywords, n, leaves, tracing);
  const bool fresh = tracing.owns_lock();
  evaluate_released(leaves);
  const Arrays inputs(std::make_move_iterator(leaves.begin() + static_cast<std::ptrdiff_t>(n)),
                      std::make_move_iterator(leaves.end()));
  leaves.clear();
  Arrays held(n);
  for (std::size_t i = 0; i < n; ++i) held[i] = *state.slots[i];
  if (!fresh) {  // a plan that is there runs no Python: the arrays can be taken from where they lie
    for (std::size_t i = 0; i < n; ++i) *state.slots[i] = Array();
  }
  Arrays outputs;
  try {
    const Unlocked release;
    const std::lock_guard lock(v->mutex);
    outputs = v->compiled->step(held, inputs);
  } catch (...) {
    for (std::size_t i = 0; i < n; ++i) *state.slots[i] = held[i];
    throw;
  }
  for (std::size_t i = 0; i < n; ++i) *state.slots[i] = std::move(held[i]);
  if (fresh) {
    self.variants.push_back(v);
    self.last = v;
  }
  return unflatten(v->out, outputs);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  const auto* function = nb::inst_ptr<CompiledFunction>(self);
  Py_VISIT(function->f.ptr());
  for (const auto& v : function->variants) {
    if (v.use_count() > 2) continue;  // running
    for (const Tree* tree : {&v->in, &v->out}) {
      for (const Tree::Entry& entry : tree->entries) {
        if (entry.object.is_valid()) Py_VISIT(entry.object.ptr());
        if (entry.type.is_valid()) Py_VISIT(entry.type.ptr());
      }
    }
  }
  return 0;
}
int clear(PyObject* self) {
  auto* function = nb::inst_ptr<CompiledFunction>(self);
  function->last = {};
  std::vector<std::shared_ptr<Variant>> variants;
  variants.swap(function->variants);
  nb::object f = std::move(function->f);
  return 0;
}
PyType_Slot slots[] = {
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)}, {Py_tp_clear, reinterpret_cast<void*>(&clear)}, {0, nullptr}};

}  // namespace

void bind_compile(nb::module_& m) {
  nb::class_<CompiledFunction> cls(m, "Compiled", nb::type_slots(slots), nb::dynamic_attr(),
                                   "A function that is traced once for each structure, shape and type of its "
                                   "arguments, and then run as one plan. See compile().");
  cls.def(
      "__init__",
      [](CompiledFunction* self, nb::object f, const std::string& name) {
        new (self) CompiledFunction{std::move(f), name, {}, {}};
      },
      nb::arg("function"), nb::arg("name"));
  cls.def("__call__", &run, nb::arg("args"), nb::arg("kwargs"), "function(*args, **kwargs), by the plan.");
  cls.def(
      "__get__",
      [](nb::handle self, nb::handle object, nb::handle) {
        if (object.is_none()) return nb::borrow(self);
        return nb::steal(PyMethod_New(self.ptr(), object.ptr()));
      },
      nb::arg("object").none(), nb::arg("type") = nb::none());
  cls.def("step", &step, nb::arg("args"), nb::arg("kwargs"),
          "One step in place: function(state, *inputs) gives (new state, anything else); the arrays in the containers "
          "of `state` are replaced by the new ones, in the same memory, and the rest is returned.\n\n"
          "state: a dict, list or dataclass of arrays, or a module, or nested ones. Where somebody else holds an array "
          "of the state, that array stays as it was.");
  cls.def(
      "explain_plan",
      [](const CompiledFunction& self) {
        return self.last ? self.last->compiled->explain_plan() : self.name + ": not called yet\n";
      },
      "The plan of the last call, for people: its steps, shapes, bytes and operations.");
  cls.def_prop_ro(
      "signatures", [](const CompiledFunction& self) { return self.variants.size(); }, "How many plans there are.");
}

}  // namespace pellucid::python
