// The default recipes, and how names become parts.
#include "recipe.h"

#include <algorithm>
#include <charconv>

#include "pellucid/init.h"
#include "pellucid/loss.h"
#include "pellucid/networks.h"
#include "pellucid/optim.h"
#include "pellucid/precision.h"

namespace pellucid::cli {
namespace {

constexpr std::pair<const char*, const char*> kActivations[] = {
    {"relu", "ReLU"},
    {"leaky_relu", "LeakyReLU"},
    {"elu", "ELU"},
    {"selu", "SELU"},
    {"gelu", "GELU"},
    {"gelu_tanh", "GELUTanh"},
    {"silu", "SiLU"},
    {"mish", "Mish"},
    {"tanh", "Tanh"},
    {"sigmoid", "Sigmoid"},
    {"hardswish", "HardSwish"},
    {"softplus", "Softplus"},
    {"softsign", "Softsign"},
    {"identity", "Identity"},
};

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// "huber=0.5" is the loss huber with 0.5.
std::pair<std::string, std::optional<double>> loss_parts(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, {}};
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, value);
  if (error != std::errc() || stop != end) usage("--loss: '{}': a number belongs after '='", text);
  return {text.substr(0, equals), value};
}

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

init::Initializer weights_for(const std::string& activation) {
  if (activation == "relu" || activation == "leaky_relu") return init::he_normal();
  if (activation == "selu") return init::lecun_normal();
  return init::xavier_uniform();
}

nn::Description described(const char* type) { return {.name = "", .type = type, .options = {}, .layers = {}}; }

}  // namespace

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const auto& [name, type] : kActivations) names.emplace_back(name);
  return names;
}

std::vector<std::string> loss_names(data::Task task) {
  if (task == data::Task::kClassification) return {"cross_entropy", "focal"};
  return {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "quantile"};
}

double validation_share(const TrainOptions& options, data::Source source) {
  return options.validation.value_or(source == data::Source::kPictures ? 0.1 : 0.2);
}

Recipe make_recipe(const TrainOptions& options, data::Source source, data::Task task, std::int64_t rows,
                   bool validated) {
  const bool pictures = source == data::Source::kPictures;
  const bool classes = task == data::Task::kClassification;
  Recipe recipe;
  const bool conv = options.network == "conv";
  if (conv && !pictures) usage("--network conv is for pictures, and '{}' is a table; leave it out", options.data);
  if (conv && (options.hidden || !options.activation.empty())) {
    usage("--hidden and --activation are for --network dense; conv has stages of its own: leave them out");
  }
  recipe.network = options.network;
  recipe.precision = options.precision;
  recipe.hidden = options.hidden.value_or(pictures ? std::vector<std::int64_t>{256, 128}
                                                   : std::vector<std::int64_t>{256, 256, 256});
  const auto chosen = [](const std::string& given, const char* otherwise) { return given.empty() ? otherwise : given; };
  recipe.activation = chosen(options.activation, pictures ? "relu" : classes ? "selu" : "mish");
  recipe.loss = chosen(options.loss, classes ? "cross_entropy" : "mean_squared_error");
  recipe.optimizer = chosen(options.optimizer, "adamw");
  recipe.schedule = chosen(options.schedule, "one-cycle");
  recipe.dropout = options.dropout.value_or(0);
  const bool smooths = !pictures && classes && recipe.loss == "cross_entropy";
  recipe.label_smoothing = options.label_smoothing.value_or(smooths ? 0.1 : 0);
  recipe.average = options.average.value_or(0);
  recipe.l1 = options.l1;
  recipe.l2 = options.l2;
  const bool adaptive = recipe.optimizer != "sgd" && recipe.optimizer != "adagrad" && recipe.optimizer != "adadelta";
  recipe.learning_rate = options.learning_rate.value_or(!adaptive ? 0.05 : recipe.optimizer == "lion" ? 3e-4 : 2e-3);
  recipe.weight_decay = options.weight_decay.value_or(recipe.optimizer != "adamw" ? 0 : smooths ? 0.3 : 0.01);
  recipe.batch = std::min(rows, options.batch.value_or(pictures || rows > 2000 ? 128 : 32));
  recipe.epochs = options.epochs.value_or(pictures ? 10 : 100);
  recipe.patience = options.patience;
  if (recipe.patience == 0) recipe.patience.reset();
  recipe.calibrate = options.calibrate && classes && validated;
  if (recipe.patience && !validated) {
    usage("--patience {} needs rows to validate on, and --validation is 0; leave one of them out", *recipe.patience);
  }
  const auto [loss, value] = loss_parts(recipe.loss);
  const std::vector<std::string> losses = loss_names(task);
  if (std::find(losses.begin(), losses.end(), loss) == losses.end()) {
    usage("--loss {} is not for {}; take one of: {}", loss, data::name_of(task), joined(losses));
  }
  if (value && loss != "huber" && loss != "quantile" && loss != "focal") {
    usage("--loss {}: the loss {} has no number to set; leave '={}' out", recipe.loss, loss, *value);
  }
  if (recipe.label_smoothing > 0 && loss != "cross_entropy") {
    usage("--label-smoothing {} is for cross_entropy alone, and the loss is {}; leave it out", recipe.label_smoothing,
          loss);
  }
  return recipe;
}

nn::Sequential make_network(const Recipe& recipe, const Shape& input, std::int64_t outputs, std::uint64_t seed) {
  nn::Sequential network;
  if (recipe.network == "conv") {
    const std::int64_t channels = input.size() > 2 ? input[2] : 1;
    network.push_back(nn::ConvNet({.channels = channels, .classes = outputs, .dropout = recipe.dropout}));
    nn::initialize(network, random::key(seed));
    return network;
  }
  std::int64_t width = 1;
  for (const std::int64_t size : input) width *= size;
  if (input.size() > 1) network.push_back(nn::Flatten());
  const auto* activation = std::find_if(std::begin(kActivations), std::end(kActivations),
                                        [&](const auto& row) { return recipe.activation == row.first; });
  for (const std::int64_t hidden : recipe.hidden) {
    network.push_back(
        nn::Linear(width, hidden, {.weight_initializer = weights_for(recipe.activation), .bias_initializer = {}}));
    network.push_back(nn::build(described(activation->second)));
    if (recipe.dropout > 0) network.push_back(nn::Dropout(recipe.dropout));
    width = hidden;
  }
  network.push_back(nn::Linear(width, outputs, {.weight_initializer = init::xavier_uniform(), .bias_initializer = {}}));
  nn::initialize(network, random::key(seed));
  return network;
}

FitOptions fit_options(const Recipe& recipe, data::Task task, std::int64_t rows, const nn::Sequential&,
                       std::uint64_t seed) {
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

Json to_json(const Recipe& recipe) {
  Json json = {{"hidden", recipe.hidden},
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
  if (recipe.network != "dense") json["network"] = recipe.network;
  if (recipe.precision != "float32") json["precision"] = recipe.precision;
  if (recipe.patience) json["patience"] = *recipe.patience;
  return json;
}

}  // namespace pellucid::cli
