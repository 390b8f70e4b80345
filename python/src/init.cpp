// pellucid.init: initialisers, which are called with (key, shape, dtype).
#include "pellucid/init.h"

#include "modules.h"

namespace pellucid::python {

namespace {

/// What was asked for, for repr and pickles, and the function.
struct Initializer {
  std::string name;
  nb::tuple given;
  init::Initializer f;
};

struct Named {
  const char* name;
  double value;
};

nb::object spelled(nb::handle value) { return nb::repr(value); }

/// An initialiser with numbers as settings.
template <class... N>
void define(nb::module_& m, const char* name, init::Initializer (*make)(N...), std::initializer_list<Named> settings) {
  const Named* at = settings.begin();
  const std::string text = name;
  const auto body = [text, make](N... values) { return Initializer{text, nb::make_tuple(values...), make(values...)}; };
  const std::string doc = doc_of((std::string("init.") + name).c_str());
  const std::string whole = doc + (doc.empty() ? "" : " ") + "Gives an Initializer.";
  if constexpr (sizeof...(N) == 0) {
    m.def(name, body, whole.c_str());
  } else {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      m.def(name, body, (nb::arg(at[I].name) = at[I].value)..., whole.c_str());
    }
    (std::make_index_sequence<sizeof...(N)>());
  }
}

init::Fan fan_of(const std::string& name) {
  if (name == "in") return init::Fan::kIn;
  if (name == "out") return init::Fan::kOut;
  throw nb::value_error(("fan is 'in' or 'out', not '" + name + "'").c_str());
}

void define_he(nb::module_& m, const char* name, init::Initializer (*make)(init::Fan, double)) {
  const std::string text = name;
  m.def(
      name,
      [text, make](const std::string& fan, double gain) {
        return Initializer{text, nb::make_tuple(fan, gain), make(fan_of(fan), gain)};
      },
      nb::arg("fan") = "in", nb::arg("gain") = 1.4142135623730951,
      "Variance gain^2 / fan, with the gain of ReLU by default (He et al. 2015). fan: 'in' or 'out'. Gives an "
      "Initializer.");
}

init::Nonlinearity nonlinearity_of(const std::string& name) {
  using init::Nonlinearity;
  if (name == "linear") return Nonlinearity::kLinear;
  if (name == "sigmoid") return Nonlinearity::kSigmoid;
  if (name == "tanh") return Nonlinearity::kTanh;
  if (name == "relu") return Nonlinearity::kReLU;
  if (name == "leaky_relu") return Nonlinearity::kLeakyReLU;
  if (name == "selu") return Nonlinearity::kSELU;
  throw nb::value_error(
      ("gain: there is no nonlinearity '" + name + "': choose one of linear, sigmoid, tanh, relu, leaky_relu, selu")
          .c_str());
}

/// An Initializer, or a function of (key, shape, dtype).
init::Initializer initializer_of(nb::handle value, const std::string& what) {
  if (nb::isinstance<Initializer>(value)) return nb::inst_ptr<Initializer>(value)->f;
  if (PyCallable_Check(value.ptr()) == 0) {
    throw nb::type_error((what + ": an initializer is one of pl.init, or a function of (key, shape, dtype), not " +
                          nb::cast<std::string>(nb::repr(value)))
                             .c_str());
  }
  const Held f = hold(value);
  return [f, what](const random::Key& key, const Shape& shape, DType dtype) {
    const Locked lock;
    Array values = as_array(f.get()(nb::cast(key), shape_tuple(shape), dtype_object(dtype)), what.c_str(), true);
    if (values.shape() != shape) {
      throw nb::value_error((what + ": the function gave values of shape " + to_string(values.shape()) +
                             " for a parameter of " + to_string(shape))
                                .c_str());
    }
    return astype(values, dtype);
  };
}

/// Gives parameters a start of the caller's.
class Starts : public nn::Visitor {
 public:
  Starts(init::Initializer start, std::string ending, int least_axes)
      : start_(std::move(start)), ending_(std::move(ending)), least_axes_(least_axes) {}
  void parameter(const std::string& path, nn::Parameter& p) override {
    if (!path.ends_with(ending_) || !p.value.defined() || p.value.rank() < least_axes_) return;
    const bool trainable = p.trainable;
    p = nn::Parameter(p.value.shape(), start_, p.value.dtype());
    p.trainable = trainable;
  }

 private:
  init::Initializer start_;
  std::string ending_;
  int least_axes_;
};

}  // namespace

void bind_init(nb::module_& parent) {
  parent.def("_start_at", [](nb::handle layer, const std::string& what, nb::handle initializer,
                             const std::string& ending, int least_axes) {
    Starts starts(initializer_of(initializer, what), ending, least_axes);
    with_module(layer, [&](nn::Ref ref) { starts.walk(ref); });
  });
  nb::module_ m = parent.def_submodule("init");
  nb::class_<Initializer>(m, "Initializer", "Initial values of parameters, as a function of (key, shape, dtype).")
      .def(
          "__call__",
          [](const Initializer& self, const Operand& key, const ShapeArg& shape, DType dtype) {
            return self.f(key.array, shape, dtype);
          },
          nb::arg("key"), nb::arg("shape"), nb::arg("dtype") = DType::kFloat32,
          "Values of the shape, drawn from the key (pl.random.key(0)). dtype: a floating type.")
      .def("__repr__",
           [](const Initializer& self) {
             std::string text = self.name + "(";
             for (std::size_t i = 0; i < self.given.size(); ++i) {
               text += (i == 0 ? "" : ", ") + nb::cast<std::string>(spelled(self.given[i]));
             }
             return text + ")";
           })
      .def("__reduce__", [](const Initializer& self) {
        return nb::make_tuple(nb::module_::import_("pellucid._types").attr("call_by_name"),
                              nb::make_tuple("pellucid.init", self.name, self.given));
      });
  define(m, "zeros", &init::zeros, {});
  define(m, "ones", &init::ones, {});
  m.def(
      "constant",
      [](double value) {
        return Initializer{"constant", nb::make_tuple(value), init::constant(value)};
      },
      nb::arg("value"), "One number everywhere. Gives an Initializer.");
  define(m, "uniform", &init::uniform, {{"low", -0.05}, {"high", 0.05}});
  define(m, "normal", &init::normal, {{"mean", 0}, {"stddev", 0.05}});
  define(m, "truncated_normal", &init::truncated_normal, {{"mean", 0}, {"stddev", 0.05}, {"low", -2}, {"high", 2}});
  define(m, "xavier_uniform", &init::xavier_uniform, {{"gain", 1}});
  define(m, "xavier_normal", &init::xavier_normal, {{"gain", 1}});
  define_he(m, "he_uniform", &init::he_uniform);
  define_he(m, "he_normal", &init::he_normal);
  define(m, "lecun_uniform", &init::lecun_uniform, {});
  define(m, "lecun_normal", &init::lecun_normal, {});
  define(m, "orthogonal", &init::orthogonal, {{"gain", 1}});
  m.def(
      "fans",
      [](const ShapeArg& shape) {
        const init::Fans f = init::fans(shape);
        return nb::make_tuple(f.in, f.out);
      },
      nb::arg("shape"),
      "(fan in, fan out) of a weight stored (in, out), leading axes being positions of a window. Raises ValueError for "
      "a scalar's shape.");
  m.def(
      "gain",
      [](const std::string& nonlinearity, double slope) { return init::gain(nonlinearity_of(nonlinearity), slope); },
      nb::arg("nonlinearity"), nb::arg("negative_slope") = 0.01,
      "What a layer's standard deviation is multiplied by before this nonlinearity: 'linear' and 'sigmoid' 1, 'tanh' "
      "5/3, 'relu' sqrt(2), 'leaky_relu' sqrt(2 / (1 + negative_slope^2)), 'selu' 3/4.");
}

}  // namespace pellucid::python
