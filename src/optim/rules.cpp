// The rules' formulas. Each rule is four overloads in a row: describe, coefficients, apply and, where it has scalars,
// advance.
//
// An exponential average a = beta a + (1 - beta) x is kept as A = beta A + x, a = (1 - beta) A: one multiplication less
// for each element; the factor goes into coefficients. The same is done with the bias corrections, so that an Adam step
// takes one root and one division.
#include "optim/rules.h"

#include <array>
#include <type_traits>

namespace pellucid::optim {

namespace {

/// 1 - beta^t.
Scalar bias_correction(double beta, const Array& t) {
  return Scalar(1.0 - pow(Array::from(std::vector<double>{beta}, {}), t));
}

/// Fields that several rules have, in the order in which they are printed.
std::vector<Field> adam_fields(double beta1, double beta2, double epsilon, double weight_decay) {
  return {{"beta1", beta1, Range::kBelowOne},
          {"beta2", beta2, Range::kBelowOne},
          {"epsilon", epsilon, Range::kPositive},
          {"weight_decay", weight_decay, Range::kNotNegative}};
}

/// The sum A of which (1 - beta) A is the exponential average.
Array decayed_sum(const Array& sum, double beta, const Array& x) { return fma(sum, beta, x); }

Arrays advance(const auto&, const Array&, const Arrays& scalars) { return scalars; }

// ---- SGD ------------------------------------------------------------------------------------------------------------

Traits describe(const SGD& r) {
  Traits t{.name = "SGD",
           .fields = {{"momentum", r.momentum, Range::kBelowOne},
                      {"nesterov", static_cast<double>(r.nesterov), Range::kFlag},
                      {"weight_decay", r.weight_decay, Range::kNotNegative},
                      {"decoupled", static_cast<double>(r.decoupled), Range::kFlag}},
           .weight_decay = r.weight_decay,
           .decoupled = r.decoupled};
  if (r.momentum > 0) t.moments = {{"momentum"}};
  if (r.nesterov && r.momentum == 0)
    base::fail("SGD: nesterov = true needs momentum, which is 0: give momentum, such as 0.9");
  return t;
}
std::vector<Scalar> coefficients(const SGD&, const Now& now) { return {now.rate}; }
Array apply(const SGD& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  if (moments.empty()) return fma(g, -c[0], w);
  moments[0] = decayed_sum(moments[0], r.momentum, g);
  return w - (r.nesterov ? g + moments[0] * r.momentum : moments[0]) * c[0];
}

// ---- Adam, AdamW, AMSGrad -------------------------------------------------------------------------------------------

Traits adam_traits(std::string_view name, const auto& r) {
  Traits t{.name = name,
           .fields = adam_fields(r.beta1, r.beta2, r.epsilon, r.weight_decay),
           .counts = true,
           .moments = {{"first_moment"}, {"second_moment"}},
           .weight_decay = r.weight_decay,
           .decoupled = true};
  if constexpr (requires { r.decoupled; }) {
    t.fields.push_back({"decoupled", static_cast<double>(r.decoupled), Range::kFlag});
    t.decoupled = r.decoupled;
  }
  return t;
}
Traits describe(const Adam& r) { return adam_traits("Adam", r); }
Traits describe(const AdamW& r) { return adam_traits("AdamW", r); }
Traits describe(const AMSGrad& r) {
  Traits t = adam_traits("AMSGrad", r);
  t.moments.push_back({"largest_second_moment"});
  return t;
}

/// With sums M and V: m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) = k M / (sqrt(V) + e), where
/// e = epsilon root and k = (1 - beta1) / (1 - beta1^t) root, root = sqrt((1 - beta2^t) / (1 - beta2)).
struct AdamNumbers {
  Scalar k, e;
};
AdamNumbers adam_numbers(const auto& r, const Now& now) {
  const Scalar root = sqrt(bias_correction(r.beta2, now.t) / (1 - r.beta2));
  return {.k = (1 - r.beta1) / bias_correction(r.beta1, now.t) * root, .e = r.epsilon * root};
}
void adam_moments(const auto& r, const Array& g, std::span<Array> moments) {
  moments[0] = decayed_sum(moments[0], r.beta1, g);
  moments[1] = decayed_sum(moments[1], r.beta2, square(g));
}

template <class R>
requires(std::is_same_v<R, Adam> || std::is_same_v<R, AdamW> ||
         std::is_same_v<R, AMSGrad>) std::vector<Scalar> coefficients(const R& r, const Now& now) {
  const auto [k, e] = adam_numbers(r, now);
  return {now.rate * k, e};
}
template <class R>
requires(std::is_same_v<R, Adam> || std::is_same_v<R, AdamW>) Array
    apply(const R& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  adam_moments(r, g, moments);
  return fma(moments[0] / (sqrt(moments[1]) + c[1]), -c[0], w);
}
Array apply(const AMSGrad& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  adam_moments(r, g, moments);
  moments[2] = maximum(moments[2], moments[1]);
  return fma(moments[0] / (sqrt(moments[2]) + c[1]), -c[0], w);
}

// ---- NAdam ----------------------------------------------------------------------------------------------------------

Traits describe(const NAdam& r) {
  Traits t = adam_traits("NAdam", r);
  t.fields.insert(t.fields.begin() + 3, {"momentum_decay", r.momentum_decay, Range::kNotNegative});
  t.scalars = {{"momentum_product", 1}};
  return t;
}
/// u(t) = beta1 (1 - 0.96^(t momentum_decay) / 2).
Array nadam_momentum(const NAdam& r, const Array& t) {
  return r.beta1 * (1.0 - 0.5 * pow(Array::from(std::vector<double>{0.96}, {}), t * r.momentum_decay));
}
Arrays advance(const NAdam& r, const Array& t, const Arrays& scalars) { return {scalars[0] * nadam_momentum(r, t)}; }
std::vector<Scalar> coefficients(const NAdam& r, const Now& now) {
  const Scalar momentum(nadam_momentum(r, now.t)), next(nadam_momentum(r, now.t + 1.0)), product(now.scalars[0]);
  const Scalar root = sqrt(bias_correction(r.beta2, now.t) / (1 - r.beta2));
  const Scalar of_gradient = now.rate * root * ((1 - momentum) / (1 - product));
  const Scalar of_moment = now.rate * root * ((1 - r.beta1) * next / (1 - product * next));
  return {of_gradient, of_moment, r.epsilon * root};
}
Array apply(const NAdam& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  adam_moments(r, g, moments);
  return w - (g * c[0] + moments[0] * c[1]) / (sqrt(moments[1]) + c[2]);
}

// ---- RAdam ----------------------------------------------------------------------------------------------------------

Traits describe(const RAdam& r) { return adam_traits("RAdam", r); }
/// Two ways to scale the sum M: with the root (first) or without; which one is the same for all elements.
std::vector<Scalar> coefficients(const RAdam& r, const Now& now) {
  const double longest = 2 / (1 - r.beta2) - 1;
  const Scalar rate = now.rate * ((1 - r.beta1) / bias_correction(r.beta1, now.t));
  if (longest <= 5) return {0.0, rate, 0.0, r.epsilon};  // never sure
  const Array correction = bias_correction(r.beta2, now.t).array();
  const Array length = longest - 2.0 * now.t * (1.0 - correction) / correction;
  const Array safe = maximum(length, 5.0);  // keeps the root below real where it is not used
  const Array rectified = sqrt((safe - 4.0) * (safe - 2.0) * longest / (safe * ((longest - 4) * (longest - 2))));
  const Scalar sure(astype(greater(length, 5.0), float64));
  return {rate * Scalar(rectified) * sqrt(Scalar(correction) / (1 - r.beta2)), rate, sure,
          r.epsilon / std::sqrt(1 - r.beta2)};
}
Array apply(const RAdam& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  adam_moments(r, g, moments);
  const Array adaptive = moments[0] / (sqrt(moments[1]) + c[3]) * c[0];
  return w - where(greater(c[2], 0.5), adaptive, moments[0] * c[1]);
}

// ---- Adamax ---------------------------------------------------------------------------------------------------------

Traits describe(const Adamax& r) {
  Traits t = adam_traits("Adamax", r);
  t.moments[1] = {"infinity_norm"};
  return t;
}
std::vector<Scalar> coefficients(const Adamax& r, const Now& now) {
  return {now.rate * ((1 - r.beta1) / bias_correction(r.beta1, now.t))};
}
Array apply(const Adamax& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  moments[0] = decayed_sum(moments[0], r.beta1, g);
  moments[1] = maximum(moments[1] * r.beta2, abs(g) + r.epsilon);
  return w - moments[0] / moments[1] * c[0];
}

// ---- RMSprop --------------------------------------------------------------------------------------------------------

Traits describe(const RMSprop& r) {
  Traits t{.name = "RMSprop",
           .fields = {{"alpha", r.alpha, Range::kBelowOne},
                      {"epsilon", r.epsilon, Range::kPositive},
                      {"momentum", r.momentum, Range::kBelowOne},
                      {"centered", static_cast<double>(r.centered), Range::kFlag},
                      {"weight_decay", r.weight_decay, Range::kNotNegative},
                      {"decoupled", static_cast<double>(r.decoupled), Range::kFlag}},
           .moments = {{"second_moment"}},
           .weight_decay = r.weight_decay,
           .decoupled = r.decoupled};
  if (r.centered) t.moments.push_back({"first_moment"});
  if (r.momentum > 0) t.moments.push_back({"momentum"});
  return t;
}
/// With sums V and A and q = 1 - alpha: sqrt(v - a^2) + epsilon = sqrt(q) (sqrt(V - q A^2) + epsilon / sqrt(q)).
std::vector<Scalar> coefficients(const RMSprop& r, const Now& now) {
  const double root = std::sqrt(1 - r.alpha);
  return {now.rate / root, r.epsilon / root};
}
Array apply(const RMSprop& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  moments[0] = decayed_sum(moments[0], r.alpha, square(g));
  Array variance = moments[0];
  if (r.centered) {
    moments[1] = decayed_sum(moments[1], r.alpha, g);
    variance = maximum(variance - square(moments[1]) * (1 - r.alpha), 0.0);  // rounding may take it below 0
  }
  Array s = g / (sqrt(variance) + c[1]);
  if (r.momentum > 0) s = moments.back() = decayed_sum(moments.back(), r.momentum, s);
  return w - s * c[0];
}

// ---- Adagrad, Adadelta ----------------------------------------------------------------------------------------------

Traits describe(const Adagrad& r) {
  return {.name = "Adagrad",
          .fields = {{"initial_accumulator", r.initial_accumulator, Range::kNotNegative},
                     {"epsilon", r.epsilon, Range::kPositive},
                     {"weight_decay", r.weight_decay, Range::kNotNegative},
                     {"decoupled", static_cast<double>(r.decoupled), Range::kFlag}},
          .moments = {{"sum_of_squares", r.initial_accumulator}},
          .weight_decay = r.weight_decay,
          .decoupled = r.decoupled};
}
std::vector<Scalar> coefficients(const Adagrad&, const Now& now) { return {now.rate}; }
Array apply(const Adagrad& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  moments[0] = moments[0] + square(g);
  return w - g / (sqrt(moments[0]) + r.epsilon) * c[0];
}

Traits describe(const Adadelta& r) {
  return {.name = "Adadelta",
          .fields = {{"rho", r.rho, Range::kBelowOne},
                     {"epsilon", r.epsilon, Range::kPositive},
                     {"weight_decay", r.weight_decay, Range::kNotNegative},
                     {"decoupled", static_cast<double>(r.decoupled), Range::kFlag}},
          .moments = {{"second_moment"}, {"squared_steps"}},
          .weight_decay = r.weight_decay,
          .decoupled = r.decoupled};
}
/// Both averages are sums, so the factor 1 - rho cancels but in epsilon.
std::vector<Scalar> coefficients(const Adadelta& r, const Now& now) { return {now.rate, r.epsilon / (1 - r.rho)}; }
Array apply(const Adadelta& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  moments[0] = decayed_sum(moments[0], r.rho, square(g));
  const Array s = g * sqrt((moments[1] + c[1]) / (moments[0] + c[1]));
  moments[1] = decayed_sum(moments[1], r.rho, square(s));
  return w - s * c[0];
}

// ---- Lion -----------------------------------------------------------------------------------------------------------

Traits describe(const Lion& r) {
  return {.name = "Lion",
          .fields = {{"beta1", r.beta1, Range::kBelowOne},
                     {"beta2", r.beta2, Range::kBelowOne},
                     {"weight_decay", r.weight_decay, Range::kNotNegative},
                     {"decoupled", static_cast<double>(r.decoupled), Range::kFlag}},
          .moments = {{"momentum"}},
          .weight_decay = r.weight_decay,
          .decoupled = r.decoupled};
}
std::vector<Scalar> coefficients(const Lion&, const Now& now) { return {now.rate}; }
/// Kept as it is, not as a sum: a sign that is decided by rounding should be decided as elsewhere.
Array apply(const Lion& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  const Array direction = sign(g * (1 - r.beta1) + moments[0] * r.beta1);
  moments[0] = g * (1 - r.beta2) + moments[0] * r.beta2;
  return w - direction * c[0];
}

// ---- LAMB -----------------------------------------------------------------------------------------------------------

Traits describe(const LAMB& r) {
  Traits t = adam_traits("LAMB", r);
  t.decays_itself = true;
  return t;
}
std::vector<Scalar> coefficients(const LAMB& r, const Now& now) {
  const auto [k, e] = adam_numbers(r, now);
  if (now.weight_decay == 0) return {now.rate, k, e};
  return {now.rate, k, e, now.weight_decay};
}
Array apply(const LAMB& r, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  adam_moments(r, g, moments);
  Array s = moments[0] / (sqrt(moments[1]) + c[2]) * c[1];
  if (c.size() > 3) s = s + w * c[3];
  const Array of_w = sqrt(sum(square(w))), of_s = sqrt(sum(square(s)));
  const Array ratio = where(logical_or(equal(of_w, 0.0), equal(of_s, 0.0)), ones_like(of_w), of_w / of_s);
  return w - s * (ratio * c[0]);
}

}  // namespace

// ---- By any rule ----------------------------------------------------------------------------------------------------

Traits traits(const Rule& rule) {
  return std::visit([](const auto& r) { return describe(r); }, rule);
}

const Schedule& learning_rate_of(const Rule& rule) {
  return std::visit([](const auto& r) -> const Schedule& { return r.learning_rate; }, rule);
}

Arrays advance(const Rule& rule, const Array& t, const Arrays& scalars) {
  return std::visit([&](const auto& r) { return advance(r, t, scalars); }, rule);
}

std::vector<Scalar> coefficients(const Rule& rule, const Now& now) {
  return std::visit([&](const auto& r) { return coefficients(r, now); }, rule);
}

Array apply(const Rule& rule, const Arrays& c, const Array& w, const Array& g, std::span<Array> moments) {
  return std::visit([&](const auto& r) { return apply(r, c, w, g, moments); }, rule);
}

// ---- By name --------------------------------------------------------------------------------------------------------

namespace {

template <std::size_t I = 0>
void each_rule(const auto& call) {
  if constexpr (I < std::variant_size_v<Rule>) {
    call(std::variant_alternative_t<I, Rule>());
    each_rule<I + 1>(call);
  }
}

std::string small(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

const std::vector<std::string>& names() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> all;
    each_rule([&](const auto& rule) { all.push_back(small(describe(rule).name)); });
    return all;
  }();
  return list;
}

Rule by_name(std::string_view name, const std::optional<Schedule>& learning_rate) {
  std::optional<Rule> found;
  std::string known;
  each_rule([&](auto rule) {
    const std::string own = small(describe(rule).name);
    known += (known.empty() ? "" : ", ") + own;
    if (own != name) return;
    if (learning_rate) rule.learning_rate = *learning_rate;
    found = rule;
  });
  if (!found) base::fail("optim::by_name: there is no optimiser '{}': choose one of {}", name, known);
  return *found;
}

}  // namespace pellucid::optim
