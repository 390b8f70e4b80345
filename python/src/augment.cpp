// pellucid.augment: changes to batches of pictures, drawn at random.
#include "pellucid/augment.h"

#include "core.h"

namespace pellucid::python {

namespace {

/// A function of (key, x, settings...), with the header's comment.
template <class... N, class... Named>
void define(nb::module_& m, const char* name, Array (*f)(const random::Key&, const Array&, N...), Named... settings) {
  m.def(
      name, [f](const Operand& key, const Operand& x, N... values) { return f(key.array, x.array, values...); },
      nb::arg("key"), nb::arg("x"), settings..., doc_of((std::string("augment.") + name).c_str()));
}

}  // namespace

void bind_augment(nb::module_& parent) {
  namespace a = augment;
  nb::module_ m = parent.def_submodule("augment");
  define(m, "random_crop", &a::random_crop, nb::arg("height"), nb::arg("width"), nb::arg("padding") = 0);
  define(m, "random_shift", &a::random_shift, nb::arg("most"));
  define(m, "random_flip", &a::random_flip, nb::arg("p") = 0.5, nb::arg("vertical") = false);
  define(m, "random_rotate", &a::random_rotate, nb::arg("degrees"));
  define(m, "random_brightness", &a::random_brightness, nb::arg("amount"));
  define(m, "random_contrast", &a::random_contrast, nb::arg("amount"));
  define(m, "random_saturation", &a::random_saturation, nb::arg("amount"));
  define(m, "cutout", &a::cutout, nb::arg("size"));
  m.def(
      "mixup",
      [](const Operand& key, const Operand& x, const Operand& y, double alpha, std::int64_t classes) {
        const a::Mixed mixed = a::mixup(key.array, x.array, y.array, alpha, classes);
        return nb::make_tuple(mixed.x, mixed.y);
      },
      nb::arg("key"), nb::arg("x"), nb::arg("y"), nb::arg("alpha") = 0.2, nb::arg("classes") = 0,
      (std::string(doc_of("augment.mixup")) + " Gives (x, y).").c_str());
  m.def(
      "beta", [](const Operand& key, std::int64_t n, double alpha) { return a::beta(key.array, n, alpha); },
      nb::arg("key"), nb::arg("n"), nb::arg("alpha"), doc_of("augment.beta"));
}

}  // namespace pellucid::python
