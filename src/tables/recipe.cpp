// The default recipes, and how names become parts.
#include "tables/recipe.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "pellucid/init.h"
#include "pellucid/loss.h"
#include "pellucid/networks.h"
#include "pellucid/ops.h"
#include "pellucid/optim.h"
#include "pellucid/precision.h"
#include "pellucid/threads.h"

namespace pellucid::tables {
namespace {

template <class Layer>
nn::AnyLayer make() {
  return Layer();
}

constexpr std::pair<const char*, nn::AnyLayer (*)()> kActivations[] = {
    {"relu", make<nn::ReLU>},
    {"leaky_relu", make<nn::LeakyReLU>},
    {"elu", make<nn::ELU>},
    {"selu", make<nn::SELU>},
    {"celu", make<nn::CELU>},
    {"gelu", make<nn::GELU>},
    {"gelu_tanh", make<nn::GELUTanh>},
    {"silu", make<nn::SiLU>},
    {"mish", make<nn::Mish>},
    {"tanh", make<nn::Tanh>},
    {"sigmoid", make<nn::Sigmoid>},
    {"hardsigmoid", make<nn::HardSigmoid>},
    {"log_sigmoid", make<nn::LogSigmoid>},
    {"hardswish", make<nn::HardSwish>},
    {"softplus", make<nn::Softplus>},
    {"softsign", make<nn::Softsign>},
    {"identity", make<nn::Identity>},
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_name(const char* option, const std::string& name, const std::vector<std::string>& known) {
  if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) return;
  misfit("{} {} is not known; take one of: {}", option, name, joined(known));
}

// "huber=0.5" is the loss huber with 0.5.
std::pair<std::string, std::optional<double>> loss_parts(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, {}};
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, value);
  if (error != std::errc() || stop != end) misfit("loss '{}': a number belongs after '='", text);
  return {text.substr(0, equals), value};
}

// The losses that take a number; an error here says which option it came with.
void check_loss_value(const std::string& text, const std::string& loss, double value) {
  if (loss == "focal" && !(value >= 0))
    misfit("loss '{}': the exponent must not be below 0; it is 2 where left out", text);
  if (loss == "huber" && !(value > 0)) {
    misfit("loss '{}': where squares give way to magnitudes must be above 0; it is 1 where left out", text);
  }
  if (loss == "quantile" && !(value > 0 && value < 1)) {
    misfit("loss '{}': the quantile must lie between 0 and 1; it is 0.5 where left out", text);
  }
}

init::Initializer weights_for(const std::string& activation) {
  if (activation == "relu" || activation == "leaky_relu") return init::he_normal();
  if (activation == "selu") return init::lecun_normal();
  return init::xavier_uniform();
}

}  // namespace

loss::Loss make_loss(const Recipe& recipe) {
  const auto [name, value] = loss_parts(recipe.loss);
  if (name == "cross_entropy") {
    return loss::CrossEntropy{.class_weights = {}, .label_smoothing = recipe.label_smoothing, .ignored_index = {}};
  }
  if (name == "focal") return loss::Focal{.gamma = value.value_or(2), .alpha = {}};
  if (name == "huber") return loss::Huber{.delta = value.value_or(1)};
  if (name == "quantile") return loss::Quantile{.quantile = value.value_or(0.5)};
  return loss::by_name(name);
}

nn::AnyLayer activation_layer(const std::string& name) {
  const auto* activation = std::find_if(std::begin(kActivations), std::end(kActivations),
                                        [&](const auto& row) { return name == row.first; });
  return activation->second();
}

double validation_share(const TableOptions& options, data::Source source) {
  return options.validation.value_or(source == data::Source::kPictures ? 0.1 : 0.2);
}

Recipe make_recipe(const TableOptions& options, data::Source source, data::Task task, std::int64_t rows, bool validated,
                   const EmbeddedInputs& embedded) {
  check_name("activation", options.activation, table_activations());
  check_name("optimizer", options.optimizer, optim::names());
  check_name("schedule", options.schedule, schedule::names());
  check_name("precision", options.precision, {"float32", "bfloat16"});
  const bool pictures = source == data::Source::kPictures;
  const bool classes = task == data::Task::kClassification;
  Recipe recipe;
  recipe.precision = options.precision;
  const bool ensemble = !pictures && !options.fast;
  const auto chosen = [](const std::string& given, const char* otherwise) { return given.empty() ? otherwise : given; };
  recipe.activation = chosen(options.activation, pictures ? "relu" : classes ? "selu" : "mish");
  recipe.loss = chosen(options.loss, classes ? "cross_entropy" : "mean_squared_error");
  recipe.optimizer = chosen(options.optimizer, "adamw");
  recipe.schedule = chosen(options.schedule, ensemble ? "log-cycles" : "one-cycle");
  recipe.dropout = options.dropout.value_or(0);
  const bool smooths = !pictures && classes && recipe.loss == "cross_entropy";
  recipe.label_smoothing = options.label_smoothing.value_or(smooths ? 0.1 : 0);
  recipe.average = options.average.value_or(0);
  recipe.log_target = options.log_target;
  recipe.l1 = options.l1;
  recipe.l2 = options.l2;
  const bool adaptive = recipe.optimizer != "sgd" && recipe.optimizer != "adagrad" && recipe.optimizer != "adadelta";
  if (ensemble) {
    recipe.members = std::min(rows, options.ensemble.value_or(8));
    recipe.embeds = !embedded.numbers.empty();
    recipe.embeds_categories = !embedded.firsts.empty();
    recipe.folds = !options.validation && recipe.members > 1;
    recipe.hidden = options.hidden.value_or(std::vector<std::int64_t>{128, 128});
    recipe.learning_rate = options.learning_rate.value_or(!adaptive                    ? 0.5
                                                          : recipe.optimizer == "lion" ? 3e-3
                                                          : rows < kFewRows            ? 0.02
                                                                                       : 0.04);
    recipe.weight_decay = options.weight_decay.value_or(0);
    recipe.batch = options.batch.value_or(rows < 700 ? 32 : rows < kFewRows ? 64 : rows < 4000 ? 128 : 256);
    recipe.epochs = options.epochs.value_or(rows < kFewRows ? 160 : 40);
  } else {
    recipe.hidden = options.hidden.value_or(pictures ? std::vector<std::int64_t>{256, 128}
                                                     : std::vector<std::int64_t>{256, 256, 256});
    recipe.learning_rate = options.learning_rate.value_or(!adaptive ? 0.05 : recipe.optimizer == "lion" ? 3e-4 : 2e-3);
    recipe.weight_decay = options.weight_decay.value_or(recipe.optimizer != "adamw" ? 0 : smooths ? 0.3 : 0.01);
    recipe.batch = options.batch.value_or(pictures || rows > 2000 ? 128 : 32);
    recipe.epochs = options.epochs.value_or(pictures ? 10 : 100);
  }
  recipe.batch = std::min(rows, recipe.batch);
  recipe.patience = options.patience;
  if (recipe.patience == 0) recipe.patience.reset();
  recipe.calibrate = options.calibrate && classes && validated;
  if (recipe.patience && !validated) {
    misfit("patience {} needs rows to validate on, and none are held out; leave it or `validation` 0 out",
           *recipe.patience);
  }
  const auto [loss, value] = loss_parts(recipe.loss);
  const std::vector<std::string> losses = table_losses(task);
  if (std::find(losses.begin(), losses.end(), loss) == losses.end()) {
    misfit("loss {} is not for {}; take one of: {}", loss, data::name_of(task), joined(losses));
  }
  if (value) check_loss_value(recipe.loss, loss, *value);
  if (value && loss != "huber" && loss != "quantile" && loss != "focal") {
    misfit("loss {}: the loss {} has no number to set; leave '={}' out", recipe.loss, loss, *value);
  }
  if (recipe.label_smoothing > 0 && loss != "cross_entropy") {
    misfit("label_smoothing {} is for cross_entropy alone, and the loss is {}; leave it out", recipe.label_smoothing,
           loss);
  }
  return recipe;
}

std::optional<Recipe> second_recipe(const Recipe& recipe, const TableOptions& options, std::int64_t rows) {
  if (rows >= kFewRows || !recipe.folds || recipe.optimizer != "adamw") return {};
  Recipe second = recipe;
  if (options.activation.empty()) second.activation = "relu";
  if (!options.weight_decay) second.weight_decay = 0.3;
  if (to_json(second) == to_json(recipe)) return {};
  return second;
}

nn::Sequential make_network(const Recipe& recipe, std::int64_t inputs, std::int64_t outputs, bool flatten,
                            std::uint64_t seed) {
  nn::Sequential network;
  if (flatten) network.push_back(nn::Flatten());
  std::int64_t width = inputs;
  for (const std::int64_t hidden : recipe.hidden) {
    network.push_back(
        nn::Linear(width, hidden, {.weight_initializer = weights_for(recipe.activation), .bias_initializer = {}}));
    network.push_back(activation_layer(recipe.activation));
    if (recipe.dropout > 0) network.push_back(nn::Dropout(recipe.dropout));
    width = hidden;
  }
  network.push_back(nn::Linear(width, outputs, {.weight_initializer = init::xavier_uniform(), .bias_initializer = {}}));
  nn::initialize(network, random::key(seed));
  return network;
}

FitOptions fit_options(const Recipe& recipe, data::Task task, std::int64_t rows, std::uint64_t seed) {
  const std::int64_t steps = (rows + recipe.batch - 1) / recipe.batch * recipe.epochs;
  optim::Rule rule = optim::by_name(recipe.optimizer, schedule::by_name(recipe.schedule, recipe.learning_rate, steps));
  std::visit(
      [&](auto& chosen) {
        chosen.weight_decay = recipe.weight_decay;
        if constexpr (requires { chosen.decoupled; }) chosen.decoupled = true;
      },
      rule);
  FitOptions options;
  options.loss = make_loss(recipe);
  optim::Options around;
  around.l1 = recipe.l1;
  around.l2 = recipe.l2;
  if (recipe.average > 0) around.average = recipe.average;
  options.optimizer = optim::Optimizer(rule, around);
  options.precision = precision_by_name(recipe.precision);
  options.max_epochs = recipe.epochs;
  options.batch_size = recipe.batch;
  options.patience = recipe.patience;
  options.seed = seed;
  if (task == data::Task::kClassification) options.metrics = {"accuracy"};
  return options;
}

nlohmann::json to_json(const Recipe& recipe) {
  nlohmann::json json = {{"hidden", recipe.hidden},
                         {"activation", recipe.activation},
                         {"dropout", recipe.dropout},
                         {"loss", recipe.loss},
                         {"label_smoothing", recipe.label_smoothing},
                         {"optimizer", recipe.optimizer},
                         {"learning_rate", recipe.learning_rate},
                         {"weight_decay", recipe.weight_decay},
                         {"schedule", recipe.schedule},
                         {"batch", recipe.batch},
                         {"epochs", recipe.epochs},
                         {"average", recipe.average},
                         {"calibrate", recipe.calibrate},
                         {"l1", recipe.l1},
                         {"l2", recipe.l2}};
  if (recipe.members > 0)
    json.update({{"members", recipe.members}, {"embeds", recipe.embeds}, {"folds", recipe.folds}});
  if (recipe.log_target) json["log_target"] = true;
  if (recipe.embeds_categories) json["embeds_categories"] = true;
  if (recipe.precision != "float32") json["precision"] = recipe.precision;
  if (recipe.patience) json["patience"] = *recipe.patience;
  return json;
}

nlohmann::json history_of(const FitResult& result, const std::string& metric) {
  nlohmann::json history = nlohmann::json::array();
  for (const Epoch& epoch : result.history) {
    nlohmann::json row = {{"loss", epoch.loss}};
    if (epoch.validation_loss) row["validation_loss"] = *epoch.validation_loss;
    if (!epoch.metrics.empty()) row[metric] = epoch.metrics[0];
    history.push_back(std::move(row));
  }
  return history;
}

// Embedded by waves, each of an ensemble's members makes so much of a row that no more rows stay in the caches.
constexpr std::int64_t kRows = 256;

Outputs::Outputs(nn::Ref network, data::Task task)
    : predictor_(network, kRows, threads()),
      parameters_(nn::parameters(network)),
      buffers_(nn::buffers(network)),
      task_(task) {}

Array Outputs::operator()(const Array& x) {
  Array output = predictor_(parameters_, buffers_, x);
  if (task_ == data::Task::kClassification) output = softmax(output);
  return output.evaluate();
}

Array output_of(nn::Ref network, data::Task task, const Array& x) { return Outputs(network, task)(x); }

std::vector<std::int64_t> count_classes(const Array& labels, std::size_t classes) {
  std::vector<std::int64_t> counts(classes);
  for (const std::int64_t label : labels.to_vector<std::int64_t>()) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

}  // namespace pellucid::tables

namespace pellucid {

std::vector<std::string> table_activations() {
  std::vector<std::string> names;
  for (const auto& [name, layer] : tables::kActivations) names.emplace_back(name);
  return names;
}

std::vector<std::string> table_losses(data::Task task) {
  if (task == data::Task::kClassification) return {"cross_entropy", "focal"};
  return {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "quantile"};
}

}  // namespace pellucid
