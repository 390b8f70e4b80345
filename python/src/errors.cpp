// Exceptions: pellucid.Error, and its kinds that are Python's own exceptions too.
#include <cstring>
#include <new>
#include <string_view>
#include <typeinfo>

#include "core.h"
#include "pellucid/error.h"

namespace pellucid::python {

namespace {

PyObject* base = nullptr;
PyObject* value_error = nullptr;
PyObject* type_error = nullptr;
PyObject* index_error = nullptr;
PyObject* memory_error = nullptr;
PyObject* os_error = nullptr;
PyObject* file_not_found = nullptr;

/// What an error's text says is wrong. The texts are the engine's; python/tests/test_errors.py holds each kind.
struct Sign {
  std::string_view text;
  PyObject** kind;
};
constexpr Sign kSigns[] = {
    {"bytes cannot be allocated", &memory_error},
    {"more elements than can be addressed", &memory_error},
    {"No such file or directory", &file_not_found},
    {"Permission denied", &os_error},
    {"Is a directory", &os_error},
    {"is a folder; give a file", &os_error},
    {"No space left on device", &os_error},
    {"is not defined for ", &type_error},
    {"must be bool", &type_error},
    {"has the wrong type", &type_error},
    {"not of floating type", &type_error},
    {"must be a floating", &type_error},
    {"index arrays are int32 or int64", &type_error},
    {"is out of range for an axis of size", &index_error},
    {"is out of range for size", &index_error},
};

/// Remedies in C++ words, and in Python's.
struct Remedy {
  std::string_view ours, theirs;
};
constexpr Remedy kRemedies[] = {
    {"name it in GradOptions::unused", "give allow_unused=True"},
    {"set .loss, for example to loss::mean_squared_error", "give loss=pl.loss.mean_squared_error, for example"},
    {"nn::unfreeze some", "unfreeze() some"},
    {"optim::Options", "optim.Optimizer"},
    {"use the reduction kMean or kSum", "take its mean or sum"},
    {"nn::build: ", ""},
};
/// Of C++, and modules of Python: "random::key" is random.key.
constexpr std::string_view kNamespaces[] = {"nn", "random", "optim", "schedule", "loss", "init", "metrics"};

PyObject* kind_of(std::string_view text) {
  for (const Sign& sign : kSigns) {
    if (text.find(sign.text) != std::string_view::npos) return *sign.kind;
  }
  const std::string_view name = text.substr(0, text.find(':'));
  const bool indexing = name == "index" || name == "take" || name == "take_along_axis" || name == "gather" ||
                        name == "gather_index" || name == "scatter_add" || name == "scatter_add_along_axis";
  if (indexing && text.find("out of range") != std::string_view::npos) return index_error;
  return value_error;
}

PyObject* define(nb::module_& m, const char* name, const char* doc, PyObject* bases) {
  const std::string full = std::string("pellucid.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full.c_str(), doc, bases, nullptr);
  if (type == nullptr) throw nb::python_error();
  m.attr(name) = nb::handle(type);
  return type;
}

PyObject* define_kind(nb::module_& m, const char* name, const char* doc, PyObject* builtin) {
  const nb::tuple bases = nb::make_tuple(nb::handle(base), nb::handle(builtin));
  return define(m, name, doc, bases.ptr());
}

}  // namespace

namespace {

/// The names that C++ has as they are called in Python.
void rename(std::string& said) {
  for (const std::string_view space : kNamespaces) {
    const std::string ours = std::string(space) + "::";
    for (std::size_t at = said.find(ours); at != std::string::npos; at = said.find(ours, at + 1)) {
      const char before = at == 0 ? ' ' : said[at - 1];
      if (before == ' ' || before == '(' || before == '\'') said.replace(at, ours.size(), std::string(space) + ".");
    }
  }
}

}  // namespace

void raise_error(const char* text) noexcept {
  std::string said = text;
  for (const Remedy& remedy : kRemedies) {
    const std::size_t at = said.find(remedy.ours);
    if (at != std::string::npos) said.replace(at, remedy.ours.size(), remedy.theirs);
  }
  rename(said);
  PyErr_SetString(kind_of(text), said.c_str());
}

void bind_errors(nb::module_& m) {
  base = define(m, "Error", "What the engine throws. Its kinds are Python's own exceptions as well.", nullptr);
  value_error = define_kind(m, "ArgumentError", "A shape, value or option that does not fit.", PyExc_ValueError);
  type_error = define_kind(m, "DTypeError", "An element type that an operation does not take.", PyExc_TypeError);
  index_error = define_kind(m, "PositionError", "An index out of range.", PyExc_IndexError);
  memory_error = define_kind(m, "AllocationError", "Memory that cannot be had.", PyExc_MemoryError);
  os_error = define_kind(m, "FileError", "A file that cannot be read or written.", PyExc_OSError);
  file_not_found = define_kind(m, "FileMissingError", "A file that is not there.", PyExc_FileNotFoundError);
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      raise_error(error.what());
    } catch (const std::bad_cast&) {
      PyErr_SetString(PyExc_TypeError, "an argument, or what a function returned, is of another type than it must be");
    }
  });
}

}  // namespace pellucid::python
