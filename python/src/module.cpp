// The extension pellucid._core: its parts, in the order in which they need one another.
#include "core.h"
#include "pellucid/threads.h"
#include "pellucid/version.h"

NB_MODULE(_core, m) {
  using namespace pellucid::python;
  m.doc() = "The engine's bindings; use the package pellucid.";
  nb::set_leak_warnings(false);  // an interpreter that ends with a plan alive is no fault of the program
  bind_ending();
  bind_errors(m);
  bind_dtypes(m);
  bind_array(m);
  bind_exchange(m);
  bind_operations(m);
  bind_creation(m);
  bind_array_api(m);
  bind_transforms(m);
  bind_compile(m);
  bind_nn(m);
  bind_schedule(m);
  bind_loss(m);
  bind_optim(m);
  bind_metrics(m);
  bind_init(m);
  bind_augment(m);
  bind_fit(m);
  bind_data(m);
  bind_io(m);
  bind_tabular(m);
  bind_estimators(m);
  m.def("_doc", &doc_of, "What the engine's headers and records say of a name; empty for another.");
  m.attr("__version__") = pellucid::version();
  m.def("threads", &pellucid::threads, "The number of threads that large work is spread over.");
  m.def("set_threads", &pellucid::set_threads, nb::arg("count"), "Sets it, from 1 to 1024. No result depends on it.");
}
