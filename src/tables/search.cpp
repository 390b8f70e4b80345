// Several ensembles: those of `tune`, and as many as there is `time` for. See search.h.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "io/file.h"
#include "pellucid/ops.h"
#include "tables/search.h"
#include "train/interrupt.h"

namespace pellucid::tables {

using nlohmann::json;

namespace {

// Held-out outputs (rows, outputs) in the order of rows.
Array by_row(const nn::Sequential& network, const Problem& problem, const Folds& folds) {
  const Array outputs = held_out_outputs(*network[0].as<nn::Ensemble>(), problem.rows.x, folds);
  const data::Rows rows = held_out_rows(folds);
  std::vector<std::int64_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return rows[static_cast<std::size_t>(a)] < rows[static_cast<std::size_t>(b)];
  });
  return take(outputs, Array::from(order), 0).evaluate();
}

// Multiplies the scores of all members: by the parameters of their last layer.
void scale_scores(nn::Sequential& network, double factor) {
  Arrays values = nn::parameters(network);
  for (std::size_t i = values.size() - 2; i < values.size(); ++i) values[i] = (values[i] * factor).evaluate();
  nn::set_parameters(network, values);
}

Candidate candidate_of(const nn::Sequential& network, const Recipe& recipe, const Problem& problem,
                       const Folds& folds) {
  Candidate candidate;
  candidate.recipe = recipe;
  candidate.network.push_back(network[0]);
  candidate.said = by_row(network, problem, folds);
  const Array& y = problem.rows.y;
  const bool classes = y.rank() == 1;
  if (classes) {
    const double factor = recipe.calibrate ? best_temperature(candidate.said, y) : 1.0;
    scale_scores(candidate.network, factor);
    candidate.said = softmax(candidate.said * factor).evaluate();
  }
  const Array miss = classes ? candidate.said - one_hot(y, candidate.said.size(1)) : slice(candidate.said, 1, 0, 1) - y;
  Array squares = sum(square(miss), {1});
  if (problem.rows.weights.defined()) squares = squares * problem.rows.weights;
  candidate.errors = astype(squares, float64).to_vector<double>();
  candidate.error = std::accumulate(candidate.errors.begin(), candidate.errors.end(), 0.0) /
                    static_cast<double>(candidate.errors.size());
  return candidate;
}

// So many epochs that training takes about so long: by the time of a few steps.
std::int64_t epochs_within(const nn::Sequential& network, const Recipe& recipe, const Problem& problem,
                           const Folds& folds, const FitOptions& fitting, double seconds) {
  nn::Sequential trial = network;
  Recipe short_recipe = recipe;
  short_recipe.patience.reset();
  FitOptions options;
  options.seed = fitting.seed;
  options.catch_interrupt = fitting.catch_interrupt;
  options.max_seconds = seconds * 0.1;
  short_recipe.epochs = 2;
  const FitResult result = fit_ensemble(trial, short_recipe, problem.target, problem.rows, folds, options);
  const auto rows = static_cast<double>(folds.training[0].size());
  const double steps = std::ceil(rows / static_cast<double>(recipe.batch));
  const double an_epoch = result.seconds / std::max(1.0, static_cast<double>(result.steps)) * steps;
  const double most = std::floor(0.8 * seconds / an_epoch);
  return std::clamp(static_cast<std::int64_t>(most), std::int64_t{1}, recipe.epochs);
}

// What the clock decided, beside the checkpoints: so that a training that goes on trains the same ensembles.
class Decisions {
 public:
  explicit Decisions(const std::string& checkpoint) : path_(checkpoint.empty() ? "" : checkpoint + "-time") {
    std::error_code error;
    if (path_.empty() || !std::filesystem::exists(path_, error)) return;
    const io::FileBytes bytes = io::read_file(path_, "fit_table");
    std::vector<std::int64_t> numbers;
    const char *at = bytes.data(), *end = at + bytes.size();
    while (at < end) {
      std::int64_t number = 0;
      const auto [stop, wrong] = std::from_chars(at, end, number);
      if (wrong != std::errc() || number < 0 || stop == end || (*stop != ' ' && *stop != '\n')) break;
      numbers.push_back(number);
      at = stop + 1;
    }
    if (at != end || numbers.size() < 2) {
      base::fail("fit_table: '{}' is damaged; remove it and the checkpoints beside it, or train anew", path_);
    }
    epochs = numbers[0];
    milliseconds = numbers[1];
    for (std::size_t i = 2; i < numbers.size(); ++i) recipes.push_back(static_cast<std::size_t>(numbers[i]));
  }
  void write() const {
    if (path_.empty()) return;
    std::string text = base::format("{} {}", epochs, milliseconds);
    for (const std::size_t recipe : recipes) text += " " + std::to_string(recipe);
    base::write_file(path_, text + "\n");
  }

  std::int64_t epochs = 0;           // of the first ensemble; 0: not decided
  std::vector<std::size_t> recipes;  // of the ensembles behind the first
  std::int64_t milliseconds = 0;     // that were used when the last of them began

 private:
  std::string path_;
};

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Search {
 public:
  Search(const TableOptions& options, const Problem& problem, FitOptions fitting)
      : options_(options), problem_(problem), fitting_(std::move(fitting)), interrupt_(fitting_.catch_interrupt) {}

  /// Trains one more ensemble, for `seconds` at most; false where that did not come to its end. Its seconds are counted
  /// as it took them, also where a checkpoint says what came of it.
  bool add(const Recipe& recipe, double seconds, nn::Sequential network = {}) {
    const Clock clock;
    const std::size_t number = trained_++;
    const std::uint64_t seed = problem_.seed + 7919 * static_cast<std::uint64_t>(number);
    if (network.size() == 0) {
      network = make_ensemble(recipe, problem_.target.task, problem_.rows.x.size(1), problem_.embedded,
                              problem_.outputs, seed);
    }
    const Folds folds = problem_.folds(recipe.members, seed);
    FitOptions fitting = fitting_;
    fitting.seed = seed;
    if (number > 0) {
      fitting.on_epoch = {};
      if (!fitting.checkpoint.path.empty()) fitting.checkpoint.path += "-" + std::to_string(number);
    }
    fitting.checkpoint.note = to_json(recipe).dump();
    OptimizerState state;
    if (options_.optimizer_states != nullptr) fitting.optimizer_state = &state;
    if (options_.max_seconds) fitting.max_seconds = std::max(*options_.max_seconds - used, 0.01);
    if (options_.time) fitting.max_seconds = std::max(seconds, 0.01);
    last = fit_ensemble(network, recipe, problem_.target, problem_.rows, folds, fitting);
    if (number == 0) first_network = network;
    if (number > 0 && last.reason != Reason::kMaxEpochs && last.reason != Reason::kNoImprovement) return false;
    if (last.reason == Reason::kDiverged || (number == 0 && last.reason == Reason::kInterrupted)) return false;
    candidates.push_back(candidate_of(network, recipe, problem_, folds));
    candidates.back().state = std::move(state);
    const double took = std::max(clock.seconds(), last.seconds);  // less where a checkpoint says what came of it
    used += took;
    if (number == 0) seconds_of_first_ = took;
    return last.reason != Reason::kInterrupted && last.reason != Reason::kStopped;
  }

  /// The candidates of `tune`; those that diverge are passed over.
  void tune_all(const Recipe& recipe, std::vector<Recipe>& found) {
    found = tune(recipe, options_, problem_, options_.on_tune);
    for (const Recipe& next : found) {
      if (interrupted()) return;
      const bool whole = add(next, 0);
      if (!whole && last.reason == Reason::kStopped) return;
      if (whole && options_.on_tune) {
        options_.on_tune(base::format("trained {}: error {:.5g} (the default: {:.5g})", words(next),
                                      candidates.back().error, candidates.front().error));
      }
    }
  }

  /// Ensembles as long as there is time: in turn one of `others` and the best again.
  void fill(double seconds, const std::vector<Recipe>& others, Decisions& decisions) {
    std::vector<Recipe> pool = {candidates.front().recipe};
    pool.insert(pool.end(), others.begin(), others.end());
    std::vector<std::size_t> of(candidates.size(), 0);  // the pool's recipe of each candidate
    std::size_t explored = 1;
    for (std::size_t i = 0; !interrupted(); ++i) {
      const double left = seconds - used;
      const auto fits = [&](std::size_t p) { return left > 1.15 * seconds_for(pool[p]); };
      std::size_t next = pool.size();
      if (i < decisions.recipes.size()) {
        next = std::min(decisions.recipes[i], pool.size() - 1);
        if (i + 1 == decisions.recipes.size())
          used = std::max(used, static_cast<double>(decisions.milliseconds) / 1000);
        if (next >= explored) explored = next + 1;
      } else {
        if (i % 2 == 0) {
          while (explored < pool.size() && !fits(explored)) ++explored;
          if (explored < pool.size()) next = explored++;
        }
        if (next == pool.size()) next = of[best()];
        if (!fits(next)) return;
        decisions.recipes.push_back(next);
        decisions.milliseconds = std::llround(used * 1000);
        decisions.write();
      }
      const std::size_t before = candidates.size();
      const bool whole = add(pool[next], left);
      if (candidates.size() > before) of.push_back(next);
      if (!whole && last.reason != Reason::kDiverged) return;
    }
  }

  bool interrupted() const { return signal() != 0; }
  int signal() const { return interrupt_.signal(); }

  std::vector<Candidate> candidates;
  nn::Sequential first_network;
  FitResult last;
  double used = 0;  // seconds of training

 private:
  // A candidate of the recipe that is best.
  std::size_t best() const {
    const std::vector<OfRecipe> recipes = by_recipe(candidates);
    const auto at = std::min_element(recipes.begin(), recipes.end(),
                                     [](const OfRecipe& a, const OfRecipe& b) { return a.error < b.error; });
    return at->candidates.front();
  }

  // By what the first took, and by how many parameters and epochs the recipe has.
  double seconds_for(const Recipe& recipe) const {
    const auto work = [&](const Recipe& r) {
      const nn::Sequential one =
          make_ensemble(r, problem_.target.task, problem_.rows.x.size(1), problem_.embedded, problem_.outputs, 0);
      constexpr double kEach = 4000;  // parameters that the rest of a step is worth
      return (static_cast<double>(nn::parameter_count(one)) / static_cast<double>(r.members) + kEach) *
             static_cast<double>(r.epochs);
    };
    return seconds_of_first_ * work(recipe) / work(candidates.front().recipe);
  }

  const TableOptions& options_;
  const Problem& problem_;
  FitOptions fitting_;
  train::InterruptScope interrupt_;
  std::size_t trained_ = 0;
  double seconds_of_first_ = 0;
};

// Twice the epochs, then other architectures.
std::vector<Recipe> others_of(const Recipe& recipe, const TableOptions& options, const Problem& problem, bool whole) {
  std::vector<Recipe> others;
  if (whole && !options.epochs) {
    others.push_back(recipe);
    others.back().epochs *= 2;
  }
  const std::vector<Recipe> drawn = draw_architectures(recipe, options, problem, 33);
  others.insert(others.end(), drawn.begin() + 1, drawn.end());
  return others;
}

// All files of a search.
void remove_checkpoints(const std::string& path) {
  if (path.empty()) return;
  namespace fs = std::filesystem;
  const fs::path first(path);
  const std::string name = first.filename().string();
  std::error_code error;
  std::vector<fs::path> ours;
  for (fs::directory_iterator at(first.has_parent_path() ? first.parent_path() : ".", error), end; !error && at != end;
       at.increment(error)) {
    const std::string file = at->path().filename().string();
    if (file == name || file == name + ".previous" || file.starts_with(name + "-")) ours.push_back(at->path());
  }
  for (const fs::path& file : ours) fs::remove(file, error);
}

json line_of(const Candidate& candidate, bool kept) {
  const Recipe& r = candidate.recipe;
  return {{"hidden", r.hidden},
          {"activation", r.activation},
          {"learning_rate", r.learning_rate},
          {"dropout", r.dropout},
          {"weight_decay", r.weight_decay},
          {"embeds", r.embeds},
          {"label_smoothing", r.label_smoothing},
          {"epochs", r.epochs},
          {"held_out_error", candidate.error},
          {"kept", kept}};
}

}  // namespace

FitResult search(nn::Sequential& network, Recipe& recipe, const TableOptions& options, const Problem& problem,
                 FitOptions fitting, Array& held_out, json& record) {
  const std::int64_t asked = recipe.epochs;
  const Clock clock;
  Decisions decisions(options.time ? fitting.checkpoint.path : "");
  if (options.time) {
    if (decisions.epochs == 0) {
      const Folds folds = problem.folds(recipe.members, problem.seed);
      decisions.epochs = epochs_within(network, recipe, problem, folds, fitting, *options.time);
      decisions.write();
    }
    recipe.epochs = decisions.epochs;
  }
  const std::string checkpoint = fitting.checkpoint.path;
  const bool keep = std::exchange(fitting.checkpoint.keep, true);  // until all have ended
  Search search(options, problem, std::move(fitting));
  if (options.time) search.used = clock.seconds();
  const bool goes_on = search.add(recipe, options.time.value_or(0), network);
  network = search.first_network;
  FitResult result = search.last;
  if (!goes_on) return result;
  std::vector<Recipe> others;
  if (options.tune) {
    search.tune_all(recipe, others);
  } else if (options.time) {
    others = others_of(recipe, options, problem, recipe.epochs == asked);
  }
  if (problem.second && options.time) {
    others.insert(others.begin(), *problem.second);
    others.front().epochs = recipe.epochs;
  } else if (problem.second && (result.reason == Reason::kMaxEpochs || result.reason == Reason::kNoImprovement) &&
             search.last.reason != Reason::kStopped && !search.interrupted()) {
    search.add(*problem.second, 0);
  }
  double seconds = 0;
  if (options.time) {
    seconds = *options.time + (options.tune ? search.used : 0);
    if (result.reason == Reason::kMaxEpochs) search.fill(seconds, others, decisions);
  }
  if (search.interrupted()) {
    result.reason = Reason::kInterrupted;
    result.signal = search.signal();
  }
  const std::vector<Candidate>& all = search.candidates;
  const std::vector<std::size_t> chosen = choose(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    record.push_back(line_of(all[i], std::find(chosen.begin(), chosen.end(), i) != chosen.end()));
  }
  if (options.time) {
    result.explanation =
        base::format("{} of {} networks within {:.3g} seconds, {} of them kept",
                     all.size() == 1 ? std::string("an ensemble") : base::format("{} ensembles", all.size()),
                     recipe.members, *options.time, chosen.size());
  } else if (all.size() > 1) {
    const bool two = all.size() == 2;
    result.explanation += two && chosen.size() == 2 ? "; both ensembles are kept"
                          : two && chosen[0] == 0   ? "; of two ensembles the first is kept"
                          : two                     ? "; of two ensembles the second is kept"
                                : base::format("; {} of {} ensembles are kept", chosen.size(), all.size());
  }
  result.seconds = search.used;
  if (!keep && result.reason != Reason::kInterrupted) remove_checkpoints(checkpoint);
  const bool first_alone = chosen.size() == 1 && chosen.front() == 0;
  if (!first_alone) network = blend(all, chosen, problem);
  const auto* blended = network[0].as<nn::Blend>();
  if (options.optimizer_states != nullptr && !options.tune && !options.time &&
      (first_alone || blended->parts() == static_cast<std::int64_t>(chosen.size()))) {
    for (const std::size_t i : chosen) options.optimizer_states->push_back(all[i].state);
  }
  if (first_alone) return result;
  recipe.members = 0;
  Array sum;
  for (const std::size_t i : chosen) {
    recipe.members += all[i].recipe.members;
    sum = sum.defined() ? sum + all[i].said : all[i].said;
  }
  const Array mean = sum / static_cast<double>(chosen.size());
  held_out = (problem.rows.y.rank() == 1 ? log(maximum(mean, 1e-30)) : mean).evaluate();
  return result;
}

}  // namespace pellucid::tables
