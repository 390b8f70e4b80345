// Which of several ensembles are kept, and their blend. See search.h.
#include <algorithm>
#include <cmath>
#include <map>

#include "pellucid/ops.h"
#include "tables/search.h"

namespace pellucid::tables {

namespace {

// Whether a is worse than b by more than so many standard errors of the mean difference of rows.
bool is_worse(const OfRecipe& a, const OfRecipe& b, double standard_errors) {
  const auto n = static_cast<double>(a.errors.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < a.errors.size(); ++i) {
    const double difference = a.errors[i] - b.errors[i];
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / n, variance = std::max(squares / n - mean * mean, 0.0);
  return !(mean <= standard_errors * std::sqrt(variance / n));
}

// What makes networks ones of the same shape.
std::string shape_of(const Recipe& recipe) {
  const nlohmann::json shape = {recipe.hidden, recipe.embeds, recipe.dropout, recipe.activation};
  return shape.dump();
}

}  // namespace

std::vector<OfRecipe> by_recipe(const std::vector<Candidate>& candidates) {
  std::vector<OfRecipe> recipes;
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto [at, added] = known.try_emplace(to_json(candidates[i].recipe).dump(), recipes.size());
    if (added) recipes.emplace_back();
    recipes[at->second].candidates.push_back(i);
  }
  for (OfRecipe& recipe : recipes) {
    const auto count = static_cast<double>(recipe.candidates.size());
    recipe.errors.assign(candidates.front().errors.size(), 0);
    for (const std::size_t i : recipe.candidates) {
      for (std::size_t row = 0; row < recipe.errors.size(); ++row)
        recipe.errors[row] += candidates[i].errors[row] / count;
      recipe.error += candidates[i].error / count;
    }
  }
  return recipes;
}

std::vector<std::size_t> choose(const std::vector<Candidate>& candidates) {
  const std::vector<OfRecipe> recipes = by_recipe(candidates);
  const auto best = std::min_element(recipes.begin(), recipes.end(),
                                     [](const OfRecipe& a, const OfRecipe& b) { return a.error < b.error; });
  const OfRecipe& measure = is_worse(recipes.front(), *best, 2) ? *best : recipes.front();
  std::vector<std::size_t> chosen;
  for (const OfRecipe& recipe : recipes) {
    if (is_worse(recipe, measure, 1)) continue;
    chosen.insert(chosen.end(), recipe.candidates.begin(), recipe.candidates.end());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

nn::Sequential blend(const std::vector<Candidate>& candidates, const std::vector<std::size_t>& chosen,
                     const Problem& problem) {
  std::vector<std::vector<std::size_t>> groups;
  for (const std::size_t i : chosen) {
    const std::string shape = shape_of(candidates[i].recipe);
    const auto at = std::find_if(groups.begin(), groups.end(), [&](const std::vector<std::size_t>& group) {
      return shape_of(candidates[group.front()].recipe) == shape;
    });
    if (at == groups.end()) {
      groups.push_back({i});
    } else {
      at->push_back(i);
    }
  }
  std::vector<nn::AnyLayer> parts;
  std::vector<float> weights, variance_weights;
  for (const std::vector<std::size_t>& group : groups) {
    Recipe all = candidates[group.front()].recipe;
    std::vector<Arrays> values;
    for (const std::size_t i : group) {
      const Arrays own = nn::parameters(candidates[i].network);
      values.resize(own.size());
      for (std::size_t p = 0; p < own.size(); ++p) values[p].push_back(own[p]);
    }
    Arrays joined;
    for (const Arrays& value : values) joined.push_back(concat(value).evaluate());
    all.members = joined.front().size(0);
    nn::Sequential ensemble = make_ensemble(all, problem.target.task, problem.rows.x.size(1), problem.embedded,
                                            problem.outputs, problem.seed);
    nn::set_parameters(ensemble, joined);
    parts.push_back(std::move(ensemble[0]));
    const auto all_chosen = static_cast<double>(chosen.size()), share = static_cast<double>(group.size()) / all_chosen;
    weights.push_back(static_cast<float>(share));
    variance_weights.push_back(static_cast<float>(share / all_chosen));  // each is an ensemble of its own
  }
  const bool classes = problem.target.task == data::Task::kClassification;
  nn::Blend layer(classes ? nn::EnsembleMean::kProbabilities : nn::EnsembleMean::kScoresAndVariance, std::move(parts));
  layer.weights.update(Array::from(weights));
  layer.variance_weights.update(Array::from(variance_weights));
  nn::Sequential network;
  network.push_back(std::move(layer));
  if (!classes) network.push_back(nn::Intervals());
  nn::assign_paths(network);
  return network;
}

}  // namespace pellucid::tables
