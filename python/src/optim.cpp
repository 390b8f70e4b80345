// pellucid.optim: rules, optimisers over trees, parts for loops by hand.
#include "optim.h"

#include <nanobind/operators.h>

#include "record.h"
#include "tree.h"

namespace pellucid::python {

void bind_minimize(nb::module_& m);  // minimize.cpp

namespace {

using optim::Optimizer;

Arrays state_of(nb::handle value) {
  Arrays state;
  if (!PyList_Check(value.ptr()) && !PyTuple_Check(value.ptr())) {
    throw nb::type_error("optimizer: the state is the list of arrays that init and update give");
  }
  for (nb::handle item : nb::borrow<nb::sequence>(value)) state.push_back(as_array(item, "optimizer: the state"));
  return state;
}

/// Names matter where there are groups alone.
Optimizer with_names(const Optimizer& optimizer, const Learned& learned) {
  return optimizer.options().groups.empty() ? optimizer : optimizer.named(learned.names);
}

nb::list init(const Optimizer& optimizer, nb::handle parameters) {
  const Learned learned = learned_of(parameters);
  return array_list(with_names(optimizer, learned).init(learned.values));
}

nb::tuple update(const Optimizer& optimizer, nb::handle parameters, nb::handle gradients, nb::handle state) {
  const Learned learned = learned_of(parameters, gradients);
  const optim::Update found = with_names(optimizer, learned).update(learned.values, learned.gradients, state_of(state));
  return nb::make_tuple(with_learned(parameters, found.parameters), array_list(found.state));
}

Array penalty(const Optimizer& optimizer, nb::handle parameters) {
  const Learned learned = learned_of(parameters);
  return with_names(optimizer, learned).penalty(learned.values);
}

std::vector<std::string> state_names(const Optimizer& optimizer, nb::handle parameters) {
  const Learned learned = learned_of(parameters);
  return with_names(optimizer, learned).state_names(learned.names);
}

nb::object averages(const Optimizer& optimizer, nb::handle parameters, nb::handle state) {
  const Arrays found = optimizer.averages(state_of(state));
  if (found.empty()) return nb::none();
  const Learned learned = learned_of(parameters);
  nb::dict dict;
  for (std::size_t i = 0; i < found.size() && i < learned.names.size(); ++i) {
    dict[learned.names[i].c_str()] = nb::cast(found[i]);
  }
  return dict;
}

/// The methods of an optimiser, for a class from which one can be made.
template <class C, class Get>
void bind_methods(nb::class_<C>& cls, Get get) {
  cls.def(
         "init", [get](const C& self, nb::handle parameters) { return init(get(self), parameters); },
         nb::arg("parameters"),
         "The state before the first update: a list of arrays. parameters: a tree of floating arrays, or a module.")
      .def(
          "update",
          [get](const C& self, nb::handle parameters, nb::handle gradients, nb::handle state) {
            return update(get(self), parameters, gradients, state);
          },
          nb::arg("parameters"), nb::arg("gradients"), nb::arg("state"),
          "(new parameters, new state). gradients: in the structure that value_and_grad gives. A module gets its new "
          "parameters and is returned; other trees are new.")
      .def(
          "state_names", [get](const C& self, nb::handle parameters) { return state_names(get(self), parameters); },
          nb::arg("parameters"), "A name for each array of the state: 'step', 'first_moment.encoder.0.weight'.")
      .def(
          "steps", [get](const C& self, nb::handle state) { return get(self).steps(state_of(state)); },
          nb::arg("state"), "The number of updates made, where the state counts them; else 0.");
}

template <class R, class... T>
void bind_rule(nb::module_& m, const char* name, Field<R, T>... fields) {
  auto cls = bind_record<R>(
      m, name, (std::string("optim.") + name).c_str(), [](const R& rule) { static_cast<void>(Optimizer(rule)); },
      fields...);
  bind_methods(cls, [](const R& rule) { return Optimizer(rule); });
}

template <class... R>
bool rule_in(nb::handle value, std::optional<optim::Rule>& out, std::variant<R...>*) {
  return ((nb::isinstance<R>(value) && (out = *nb::inst_ptr<R>(value), true)) || ...);
}

optim::Rule rule_of(nb::handle value) {
  std::optional<optim::Rule> rule;
  if (rule_in(value, rule, static_cast<optim::Rule*>(nullptr))) return *rule;
  if (PyUnicode_Check(value.ptr())) return optim::by_name(nb::cast<std::string>(value));
  throw nb::type_error(("an optimizer is one of pellucid.optim (SGD, Adam, ...), its name, or an Optimizer, not " +
                        nb::cast<std::string>(nb::repr(value)))
                           .c_str());
}

void bind_rules(nb::module_& m) {
  using namespace optim;
  bind_rule<SGD>(m, "SGD", field("learning_rate", &SGD::learning_rate), field("momentum", &SGD::momentum),
                 field("nesterov", &SGD::nesterov), field("weight_decay", &SGD::weight_decay),
                 field("decoupled", &SGD::decoupled));
  const auto adam = [&]<class R>(const char* name, R*) {
    bind_rule<R>(m, name, field("learning_rate", &R::learning_rate), field("beta1", &R::beta1),
                 field("beta2", &R::beta2), field("epsilon", &R::epsilon), field("weight_decay", &R::weight_decay),
                 field("decoupled", &R::decoupled));
  };
  adam("Adam", static_cast<Adam*>(nullptr));
  adam("AMSGrad", static_cast<AMSGrad*>(nullptr));
  adam("RAdam", static_cast<RAdam*>(nullptr));
  adam("Adamax", static_cast<Adamax*>(nullptr));
  const auto plain = [&]<class R>(const char* name, R*) {
    bind_rule<R>(m, name, field("learning_rate", &R::learning_rate), field("beta1", &R::beta1),
                 field("beta2", &R::beta2), field("epsilon", &R::epsilon), field("weight_decay", &R::weight_decay));
  };
  plain("AdamW", static_cast<AdamW*>(nullptr));
  plain("LAMB", static_cast<LAMB*>(nullptr));
  bind_rule<NAdam>(m, "NAdam", field("learning_rate", &NAdam::learning_rate), field("beta1", &NAdam::beta1),
                   field("beta2", &NAdam::beta2), field("epsilon", &NAdam::epsilon),
                   field("momentum_decay", &NAdam::momentum_decay), field("weight_decay", &NAdam::weight_decay),
                   field("decoupled", &NAdam::decoupled));
  bind_rule<RMSprop>(m, "RMSprop", field("learning_rate", &RMSprop::learning_rate), field("alpha", &RMSprop::alpha),
                     field("epsilon", &RMSprop::epsilon), field("momentum", &RMSprop::momentum),
                     field("centered", &RMSprop::centered), field("weight_decay", &RMSprop::weight_decay),
                     field("decoupled", &RMSprop::decoupled));
  bind_rule<Adagrad>(m, "Adagrad", field("learning_rate", &Adagrad::learning_rate),
                     field("initial_accumulator", &Adagrad::initial_accumulator), field("epsilon", &Adagrad::epsilon),
                     field("weight_decay", &Adagrad::weight_decay), field("decoupled", &Adagrad::decoupled));
  bind_rule<Adadelta>(m, "Adadelta", field("learning_rate", &Adadelta::learning_rate), field("rho", &Adadelta::rho),
                      field("epsilon", &Adadelta::epsilon), field("weight_decay", &Adadelta::weight_decay),
                      field("decoupled", &Adadelta::decoupled));
  bind_rule<Lion>(m, "Lion", field("learning_rate", &Lion::learning_rate), field("beta1", &Lion::beta1),
                  field("beta2", &Lion::beta2), field("weight_decay", &Lion::weight_decay),
                  field("decoupled", &Lion::decoupled));
  bind_record<Group>(
      m, "Group", "optim.Group", [](const Group&) {}, field("pattern", &Group::pattern),
      field("learning_rate", &Group::learning_rate), field("weight_decay", &Group::weight_decay),
      field("l1", &Group::l1), field("l2", &Group::l2));
}

void bind_optimizer(nb::module_& m) {
  nb::class_<Optimizer> cls(
      m, "Optimizer", nb::dynamic_attr(),
      "A rule, and what goes around it, in the order in which it acts on the gradients.\n\n"
      "rule: one of SGD, Adam, ..., or its name in small letters.\n"
      "groups: settings (Group) for parameters whose names match; the first that matches counts.\n"
      "accumulate: k: gradients of k calls are averaged, and every k-th call updates.\n"
      "l1, l2: gradients of l1 sum |w| + l2 / 2 sum w^2 are added, before clipping.\n"
      "clip_value, clip_norm, clip_global_norm: each element to [-c, c]; each parameter's gradient to a norm of at "
      "most c; all of them together.\n"
      "average: d: keeps a = d a + (1 - d) w of each parameter; see averages().");
  cls.def(
      "__init__",
      [](nb::pointer_and_handle<Optimizer> self, nb::object rule, const std::vector<optim::Group>& groups,
         std::int64_t accumulate, double l1, double l2, std::optional<double> clip_value,
         std::optional<double> clip_norm, std::optional<double> clip_global_norm, std::optional<double> average) {
        new (self.p)
            Optimizer(rule_of(rule), {groups, accumulate, l1, l2, clip_value, clip_norm, clip_global_norm, average});
        nb::object(nb::borrow(self.h)).attr("__dict__")["rule"] = rule;
      },
      nb::arg("rule"), nb::kw_only(), nb::arg("groups") = nb::make_tuple(), nb::arg("accumulate") = 1,
      nb::arg("l1") = 0.0, nb::arg("l2") = 0.0, nb::arg("clip_value").none() = nb::none(),
      nb::arg("clip_norm").none() = nb::none(), nb::arg("clip_global_norm").none() = nb::none(),
      nb::arg("average").none() = nb::none());
  bind_methods(cls, [](const Optimizer& o) { return o; });
  cls.def("penalty", &penalty, nb::arg("parameters"),
          "The penalties in the loss whose gradients update adds: sum of l1 |w| + l2 / 2 w^2.")
      .def("averages", &averages, nb::arg("parameters"), nb::arg("state"),
           "A dict of the averaged parameters in a state, by name; None without `average`.")
      .def(
          "learning_rate", [](const Optimizer& o, nb::handle state) { return o.learning_rate(state_of(state)); },
          nb::arg("state"), "The learning rate of the next update (not that of groups with their own).")
      .def(
          "set_scale",
          [](const Optimizer& o, nb::handle state, double scale) {
            Arrays arrays = state_of(state);
            o.set_scale(arrays, scale);
            return array_list(arrays);
          },
          nb::arg("state"), nb::arg("scale"),
          "A state in which schedule.OnPlateau multiplies by this. Raises ValueError where no schedule has one.")
      .def("__repr__", &Optimizer::to_string);
}

/// f over the arrays of a tree, None and other values standing as they are.
template <class F>
nb::object over_tree(nb::handle tree, F f) {
  Tree shape;
  Arrays leaves;
  flatten(tree, shape, leaves);
  return unflatten(shape, f(leaves));
}
Arrays leaves_of(nb::handle tree) {
  Tree shape;
  Arrays leaves;
  flatten(tree, shape, leaves);
  return leaves;
}

void bind_parts(nb::module_& m) {
  m.def(
      "global_norm", [](nb::handle tree) { return optim::global_norm(leaves_of(tree)); }, nb::arg("arrays"),
      "sqrt(sum of all elements squared) over the arrays of a tree, a scalar.");
  const auto clip = [&m](const char* name, Arrays (*f)(const Arrays&, double), const char* doc) {
    m.def(
        name,
        [f](nb::handle tree, double most) { return over_tree(tree, [&](const Arrays& g) { return f(g, most); }); },
        nb::arg("gradients"), nb::arg("most"), doc);
  };
  clip("clip_by_value", &optim::clip_by_value, "Each element of the arrays in a tree to [-most, most].");
  clip("clip_by_norm", &optim::clip_by_norm, "Each array g of a tree times min(1, most / |g|).");
  clip("clip_by_global_norm", &optim::clip_by_global_norm, "All arrays of a tree times min(1, most / global_norm).");
  m.def(
      "l1_penalty",
      [](nb::handle tree, double strength) { return optim::l1_penalty(learned_of(tree).values, strength); },
      nb::arg("parameters"), nb::arg("strength"), "strength * sum |w| over the parameters in a tree or module.");
  m.def(
      "l2_penalty",
      [](nb::handle tree, double strength) { return optim::l2_penalty(learned_of(tree).values, strength); },
      nb::arg("parameters"), nb::arg("strength"), "strength / 2 * sum w^2 over the parameters in a tree or module.");
  m.def(
      "moving_average",
      [](nb::handle averages, nb::handle parameters, double decay) {
        Tree shape;
        Arrays leaves;
        flatten(averages, shape, leaves);
        return unflatten(shape, optim::moving_average(leaves, leaves_like(shape, parameters, "moving_average"), decay));
      },
      nb::arg("averages"), nb::arg("parameters"), nb::arg("decay"),
      "decay a + (1 - decay) w for each pair of arrays in two trees of one structure.");
  m.def(
      "by_name",
      [](const std::string& name, const MaybeScheduleLike& learning_rate) {
        return std::visit([](const auto& rule) { return nb::cast(Optimizer(rule)); },
                          optim::by_name(name, Setting<std::optional<Schedule>>::take(learning_rate)));
      },
      nb::arg("name"), nb::arg("learning_rate").none() = nb::none(),
      "An optimizer with its defaults, by the rule's name in small letters.");
  m.def("names", &optim::names, "The names that by_name knows.");
}

}  // namespace

Optimizer optimizer_of(nb::handle value) {
  if (nb::isinstance<Optimizer>(value)) return *nb::inst_ptr<Optimizer>(value);
  return Optimizer(rule_of(value));
}

void bind_optim(nb::module_& parent) {
  nb::module_ m = parent.def_submodule("optim");
  bind_rules(m);
  bind_optimizer(m);
  bind_parts(m);
  bind_minimize(m);
}

}  // namespace pellucid::python
