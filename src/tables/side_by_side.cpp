// See side_by_side.h.
#include "tables/side_by_side.h"

#include <algorithm>

#include "base/fail.h"
#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"

namespace pellucid::tables {

namespace {

constexpr double kLevels[] = {0.05, 0.95};  // the quantiles that intervals begin with

/// The mean loss of a value, and of two quantiles that stand behind it.
Array loss_with_quantiles(const loss::Loss& loss, const Array& output, const Array& y, const Array& weights) {
  Array sum = loss(slice(output, 1, 0, 1), y, weights);
  for (int i = 0; i < 2; ++i) {
    const loss::Loss quantile = loss::Quantile{.quantile = kLevels[i]};
    sum = sum + quantile(slice(output, 1, i + 1, i + 2), y, weights) * 0.5;
  }
  return sum;
}

// A factor for each member in front of the parameter's own axes.
Array for_members(const Array& rates, const Array& parameter) {
  Shape shape(parameter.shape().size(), 1);
  shape[0] = rates.size(0);
  return reshape(rates, shape);
}

}  // namespace

SideBySide::SideBySide(nn::Ensemble ensemble, const Array& rows, const Array& factors)
    : members(std::move(ensemble)), x(std::make_shared<const Array>(rows)) {
  if (!factors.defined()) return;
  rates = std::make_shared<const Array>(factors);
  Arrays divided;
  for (const Array& p : nn::parameters(members)) divided.push_back((p / for_members(factors, p)).evaluate());
  nn::set_parameters(members, divided);
}

Array SideBySide::operator()(const Array& positions) const {
  const auto run = [&] { return permute(members.apart(take(*x, transpose(positions), 0)), {1, 0, 2}); };
  if (!rates) return run();
  auto& changed = const_cast<nn::Ensemble&>(members);
  Arrays whole;
  for (const Array& p : nn::parameters(members)) whole.push_back(p * for_members(*rates, p));
  const nn::Swap swap(changed, whole, nn::buffers(members));
  return run();
}

Array side_by_side(const std::vector<data::Rows>& lists) {
  std::size_t longest = 0;
  for (const data::Rows& list : lists) longest = std::max(longest, list.size());
  std::vector<std::int64_t> positions;
  positions.reserve(longest * lists.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (const data::Rows& list : lists) positions.push_back(list[i % list.size()]);
  }
  return Array::from(positions, {static_cast<std::int64_t>(longest), static_cast<std::int64_t>(lists.size())});
}

loss::Loss loss_of_members(const loss::Loss& loss, const Dataset& rows) {
  return [loss, rows](const Array& output, const Array& positions) {
    const Array at = reshape(positions, {-1});
    const Array flat = reshape(output, {-1, output.size(2)}), y = take(rows.y, at, 0);
    const Array weights = rows.weights.defined() ? take(rows.weights, at, 0) : Array();
    return rows.y.rank() == 2 ? loss_with_quantiles(loss, flat, y, weights) : loss(flat, y, weights);
  };
}

std::vector<data::Rows> shuffled(std::vector<data::Rows> lists, std::uint64_t seed) {
  const random::Key key = random::fold_in(random::key(seed), Array(7));
  for (std::size_t m = 0; m < lists.size(); ++m) {
    const auto order = random::permutation(random::fold_in(key, Array(static_cast<std::int64_t>(m))),
                                           static_cast<std::int64_t>(lists[m].size()))
                           .to_vector<std::int64_t>();
    data::Rows rows;
    for (const std::int64_t i : order) rows.push_back(lists[m][static_cast<std::size_t>(i)]);
    lists[m] = std::move(rows);
  }
  return lists;
}

optim::Optimizer optimizer_for(const Recipe& recipe, std::int64_t steps) {
  const auto rate = [&](double factor) {
    return schedule::by_name(recipe.schedule, recipe.learning_rate * factor, steps);
  };
  optim::Rule rule = optim::by_name(recipe.optimizer, rate(1));
  std::visit(
      [&](auto& chosen) {
        chosen.weight_decay = recipe.weight_decay;
        if constexpr (requires { chosen.decoupled; }) chosen.decoupled = true;
        if constexpr (requires { chosen.beta2; }) chosen.beta2 = 0.95;
      },
      rule);
  optim::Options around;
  around.l1 = recipe.l1;
  around.l2 = recipe.l2;
  if (recipe.average > 0) around.average = recipe.average;
  if (recipe.embeds) {
    around.groups.push_back({.pattern = "members.0.*", .learning_rate = rate(0.1), .weight_decay = 0});
  }
  const int behind = (recipe.embeds ? 1 : 0) + (recipe.embeds_categories ? 1 : 0);
  const std::string scale = base::format("members.{}.weight", behind);
  around.groups.push_back({.pattern = scale, .learning_rate = rate(6), .weight_decay = 0});
  around.groups.push_back({.pattern = "*.bias", .learning_rate = rate(0.1), .weight_decay = 0});
  return {rule, around};
}

}  // namespace pellucid::tables
