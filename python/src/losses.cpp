// pellucid.loss: the losses as records that are called, and losses of any kind for fit.
#include "losses.h"

#include "held.h"
#include "pellucid/loss_picture.h"
#include "pellucid/loss_sequence.h"
#include "record.h"

namespace pellucid::python {

namespace {

using loss::Reduction;

/// The class, and the function of the same loss with its defaults.
template <class S, class... T>
nb::class_<S> bind_one(nb::module_& m, const char* type, Field<S, T>... fields) {
  auto cls = bind_record<S>(
      m, type, (std::string("loss.") + type).c_str(), [](const S&) {}, fields..., field("reduction", &S::reduction));
  m.attr(std::string(S::kName).c_str()) = cls();
  return cls;
}

constexpr const char* kCall =
    "The loss of the prediction; weights: how much each element or sample counts. See the reduction.";

template <class S, class... T>
nb::class_<S> bind_usual(nb::module_& m, const char* type, Field<S, T>... fields) {
  auto cls = bind_one<S>(m, type, fields...);
  cls.def(
      "__call__",
      [](const S& s, const Operand& prediction, const Operand& target, const MaybeOperand& weights) {
        return s(prediction, target, weights);
      },
      nb::arg("prediction"), nb::arg("target"), nb::arg("weights").none() = nb::none(), kCall);
  return cls;
}

template <class... S>
struct Kinds {};
using Usual =
    Kinds<loss::MeanSquaredError, loss::MeanAbsoluteError, loss::Huber, loss::LogCosh, loss::Quantile,
          loss::PoissonNegativeLogLikelihood, loss::GaussianNegativeLogLikelihood, loss::CrossEntropy,
          loss::NegativeLogLikelihood, loss::BinaryCrossEntropy, loss::BinaryCrossEntropyWithLogits, loss::KLDivergence,
          loss::Hinge, loss::SquaredHinge, loss::Focal, loss::Cosine, loss::Dice, loss::CTC>;

template <class... S>
bool known(nb::handle value, loss::Loss& out, Kinds<S...>) {
  return ((nb::isinstance<S>(value) && (out = loss::Loss(*nb::inst_ptr<S>(value)), true)) || ...);
}

}  // namespace

Reduction reduction_of(const std::string& name) {
  if (name == "mean") return Reduction::kMean;
  if (name == "sum") return Reduction::kSum;
  if (name == "none") return Reduction::kNone;
  throw nb::value_error(("reduction is 'mean', 'sum' or 'none', not '" + name + "'").c_str());
}
std::string name_of(Reduction reduction) {
  return reduction == Reduction::kMean ? "mean" : reduction == Reduction::kSum ? "sum" : "none";
}

int positional_count(nb::handle f) {
  try {
    const nb::object inspect = nb::module_::import_("inspect");
    const nb::object parameters = inspect.attr("signature")(f).attr("parameters").attr("values")();
    int count = 0;
    for (nb::handle p : parameters) {
      const auto kind = nb::cast<int>(nb::int_(p.attr("kind")));
      if (kind <= 1) ++count;      // positional
      if (kind == 2) return 1000;  // *args
    }
    return count;
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_TypeError)) throw;
    return 2;  // no signature is known
  }
}

loss::Loss loss_of(nb::handle value) {
  loss::Loss found;
  if (value.is_none() || known(value, found, Usual{})) return found;
  if (PyUnicode_Check(value.ptr())) return loss::by_name(nb::cast<std::string>(value));
  if (PyCallable_Check(value.ptr()) == 0 || PyType_Check(value.ptr())) {
    throw nb::type_error(("a loss is one of pellucid.loss, its name, or a function of (prediction, target) or "
                          "(prediction, target, weights), not " +
                          nb::cast<std::string>(nb::repr(value)))
                             .c_str());
  }
  const Held f = hold(value);
  constexpr const char* kWhat = "the loss";
  if (positional_count(value) < 3) {
    return loss::Loss([f](const Array& prediction, const Array& target) {
      const Locked lock;
      return as_array(f.get()(nb::cast(prediction), nb::cast(target)), kWhat);
    });
  }
  return loss::Loss([f](const Array& prediction, const Array& target, const Array& weights) {
    const Locked lock;
    const nb::object w = weights.defined() ? nb::cast(weights) : nb::none();
    return as_array(f.get()(nb::cast(prediction), nb::cast(target), w), kWhat);
  });
}

void bind_loss(nb::module_& parent) {
  using namespace loss;
  nb::module_ m = parent.def_submodule("loss");
  bind_usual<MeanSquaredError>(m, "MeanSquaredError");
  bind_usual<MeanAbsoluteError>(m, "MeanAbsoluteError");
  bind_usual<Huber>(m, "Huber", field("delta", &Huber::delta));
  bind_usual<LogCosh>(m, "LogCosh");
  bind_usual<Quantile>(m, "Quantile", field("quantile", &Quantile::quantile));
  bind_usual<PoissonNegativeLogLikelihood>(m, "PoissonNegativeLogLikelihood",
                                           field("full", &PoissonNegativeLogLikelihood::full));
  bind_usual<GaussianNegativeLogLikelihood>(m, "GaussianNegativeLogLikelihood",
                                            field("full", &GaussianNegativeLogLikelihood::full),
                                            field("least_variance", &GaussianNegativeLogLikelihood::least_variance))
      .def(
          "of",
          [](const GaussianNegativeLogLikelihood& s, const Operand& mean, const Operand& variance,
             const Operand& target, const MaybeOperand& weights) { return s.of(mean, variance, target, weights); },
          nb::arg("mean"), nb::arg("variance"), nb::arg("target"), nb::arg("weights").none() = nb::none(),
          "The same with mean and variance given apart.");
  bind_usual<CrossEntropy>(m, "CrossEntropy", field("class_weights", &CrossEntropy::class_weights),
                           field("label_smoothing", &CrossEntropy::label_smoothing),
                           field("ignored_index", &CrossEntropy::ignored_index));
  bind_usual<NegativeLogLikelihood>(m, "NegativeLogLikelihood",
                                    field("class_weights", &NegativeLogLikelihood::class_weights),
                                    field("ignored_index", &NegativeLogLikelihood::ignored_index));
  bind_usual<BinaryCrossEntropy>(m, "BinaryCrossEntropy");
  bind_usual<BinaryCrossEntropyWithLogits>(m, "BinaryCrossEntropyWithLogits",
                                           field("positive_weight", &BinaryCrossEntropyWithLogits::positive_weight));
  bind_usual<KLDivergence>(m, "KLDivergence", field("from_logits", &KLDivergence::from_logits));
  bind_usual<Hinge>(m, "Hinge", field("margin", &Hinge::margin));
  bind_usual<SquaredHinge>(m, "SquaredHinge", field("margin", &SquaredHinge::margin));
  bind_usual<Focal>(m, "Focal", field("gamma", &Focal::gamma), field("alpha", &Focal::alpha));
  bind_usual<Cosine>(m, "Cosine");
  bind_usual<Dice>(m, "Dice", field("smooth", &Dice::smooth), field("from_logits", &Dice::from_logits));
  bind_usual<CTC>(m, "CTC", field("blank", &CTC::blank), field("zero_infinity", &CTC::zero_infinity))
      .def(
          "of",
          [](const CTC& s, const Operand& prediction, const Operand& target, const MaybeOperand& input_lengths,
             const MaybeOperand& target_lengths, const MaybeOperand& weights) {
            return s.of(prediction, target, {input_lengths.array, target_lengths.array}, weights);
          },
          nb::arg("prediction"), nb::arg("target"), nb::arg("input_lengths").none() = nb::none(),
          nb::arg("target_lengths").none() = nb::none(), nb::arg("weights").none() = nb::none(),
          "The same for examples of which only the first steps and labels count: lengths (N), integers.");
  bind_one<CosineEmbedding>(m, "CosineEmbedding", field("margin", &CosineEmbedding::margin))
      .def(
          "__call__",
          [](const CosineEmbedding& s, const Operand& x, const Operand& y, const Operand& same,
             const MaybeOperand& weights) { return s(x, y, same, weights); },
          nb::arg("x"), nb::arg("y"), nb::arg("same"), nb::arg("weights").none() = nb::none(), kCall);
  bind_one<Triplet>(m, "Triplet", field("margin", &Triplet::margin))
      .def(
          "__call__",
          [](const Triplet& s, const Operand& anchor, const Operand& positive, const Operand& negative,
             const MaybeOperand& weights) { return s(anchor, positive, negative, weights); },
          nb::arg("anchor"), nb::arg("positive"), nb::arg("negative"), nb::arg("weights").none() = nb::none(), kCall);
  m.def(
      "reduce",
      [](const Operand& losses, const std::string& reduction, const MaybeOperand& weights, const std::string& what) {
        return loss::reduce(what, losses, reduction_of(reduction), weights);
      },
      nb::arg("losses"), nb::arg("reduction") = "mean", nb::arg("weights").none() = nb::none(),
      nb::arg("what") = "loss", "Puts together one number for each sample: 'mean', 'sum' or 'none'.");
}

}  // namespace pellucid::python
