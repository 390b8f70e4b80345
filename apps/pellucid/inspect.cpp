// pellucid inspect: what a model file holds.
#include <algorithm>
#include <memory>

#include "cli.h"
#include "columns.h"
#include "model.h"
#include "pellucid/dtype.h"
#include "pellucid/ops.h"

namespace pellucid::cli {
namespace {

struct InspectOptions {
  std::string model;
  bool json = false;
};

Shape input_shape(const Model& model) {
  Shape shape = {1};
  if (model.source == data::Source::kTable) {
    shape.push_back(model.table.inputs());
  } else {
    shape.insert(shape.end(), model.pictures.shape.begin(), model.pictures.shape.end());
  }
  return shape;
}

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump();
}

std::string indented(const std::string& text) {
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    result += "  " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return result;
}

void print_features(const data::Preprocessing& table) {
  std::vector<std::vector<std::string>> rows = {{"column", "inputs", "how"}};
  for (const data::Feature& feature : table.features) {
    rows.push_back({shortened(feature.column, 32), std::to_string(feature.inputs()), how_used(feature)});
  }
  say(aligned(rows, {false, true, false}));
  for (const auto& [column, reason] : table.dropped) say("  left out: {}: {}\n", shortened(column, 32), reason);
}

void print_object(const Json& object) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : object.items()) rows.push_back({key, value_text(value)});
  say(aligned(rows, {}));
}

nlohmann::ordered_json facts_of(const nn::NamedArray& array) {
  return {{"name", array.name}, {"shape", array.value.shape()}, {"dtype", name_of(array.value.dtype())}};
}

void print_parameters(const std::vector<nn::NamedArray>& arrays) {
  say("\nparameters\n");
  std::vector<std::vector<std::string>> rows = {{"name", "shape", "mean", "deviation", "least", "most"}};
  for (const nn::NamedArray& array : arrays) {
    const Array x = astype(array.value, float64);
    const auto number = [&](Array (*of)(const Array&)) {
      return x.size() == 0 ? std::string() : fmt::format("{:.4f}", of(x).item<double>());
    };
    rows.push_back({array.name, to_string(array.value.shape()), number([](const Array& v) { return mean(v); }),
                    number([](const Array& v) { return std(v); }), number([](const Array& v) { return min(v); }),
                    number([](const Array& v) { return max(v); })});
  }
  say(aligned(rows, {false, false, true, true, true, true}));
}

void print_layer(const nn::Description& layer, const std::string& indent) {
  std::vector<std::string> settings;
  for (const auto& [name, option] : layer.options) {
    settings.push_back(name + " " + std::visit([](const auto& value) { return value_text(Json(value)); }, option));
  }
  say("{}{}{}{}\n", indent, layer.name.empty() ? "" : layer.name + ": ", layer.type,
      settings.empty() ? "" : fmt::format(" ({})", fmt::join(settings, ", ")));
  for (const nn::Description& part : layer.layers) print_layer(part, indent + "  ");
}

// A network that Python or C++ saved; perhaps of a class of the user's, which cannot be built here.
int run_bare(const InspectOptions& options, const io::ModelFile& file) {
  std::vector<nn::NamedArray> arrays;
  std::int64_t count = 0;
  for (const auto& [name, value] : file.parameters) {
    arrays.push_back({name, value});
    count += value.size();
  }
  if (options.json) {
    nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
    for (const nn::NamedArray& array : arrays) parameters.push_back(facts_of(array));
    print_json({{"model", options.model},
                {"network", nlohmann::ordered_json::parse(file.network)},
                {"parameters", parameters},
                {"preprocessing", nullptr},
                {"training", nlohmann::ordered_json::parse(file.training)}});
    return kDone;
  }
  say("{}\n\na network alone: {} in {}; it has no preprocessing, so `predict` does not take it\n\nnetwork\n",
      options.model, counted(count, "number", "numbers"),
      counted(static_cast<std::int64_t>(arrays.size()), "array", "arrays"));
  print_layer(nn::description_from_json(file.network), "  ");
  print_parameters(arrays);
  return kDone;
}

int run(const InspectOptions& options) {
  if (const io::ModelFile file = io::load_model(options.model); is_bare(file)) return run_bare(options, file);
  Model model = load(options.model);
  if (options.json) {
    nlohmann::ordered_json parameters = nlohmann::ordered_json::array();
    for (const nn::NamedArray& array : nn::named_parameters(model.network)) parameters.push_back(facts_of(array));
    print_json({{"model", options.model},
                {"network", nlohmann::ordered_json::parse(nn::to_json(nn::describe(model.network)))},
                {"parameters", parameters},
                {"preprocessing",
                 nlohmann::ordered_json::parse(model.source == data::Source::kTable ? data::to_json(model.table)
                                                                                    : data::to_json(model.pictures))},
                {"training", nlohmann::ordered_json::parse(model.training.dump())}});
    return kDone;
  }
  const data::Target& target = model.target;
  say("{}\n\n", options.model);
  if (target.task == data::Task::kClassification) {
    say("predicts: {}, one of {} classes: {}\n\n", target.name, target.classes.size(),
        shortened(fmt::format("{}", fmt::join(target.classes, ", ")), 200));
  } else {
    const bool is_log = target.is_log();
    say("predicts: {}, a number: {}{:.6g} + {:.6g} times the network's output{}, within {:.6g} to {:.6g}\n\n",
        target.name, is_log ? "exp(" : "", is_log ? target.log_mean : target.mean,
        is_log ? target.log_scale : target.scale, is_log ? ")" : "", target.low, target.high);
  }
  say("network\n");
  say(indented(nn::summary(model.network, zeros(input_shape(model)))));
  print_parameters(nn::named_parameters(model.network));

  say("\npreprocessing\n");
  if (model.source == data::Source::kTable) {
    print_features(model.table);
  } else {
    say("  pictures {}: (pixel - {:.6g}) / {:.6g}\n", to_string(model.pictures.shape), model.pictures.mean,
        model.pictures.scale);
  }
  say("\ntraining\n");
  for (const char* part : {"data", "recipe", "end"}) {
    if (model.training.contains(part) && model.training[part].is_object()) print_object(model.training[part]);
  }
  for (const char* part : {"seed", "program"}) {
    if (model.training.contains(part)) say("  {}: {}\n", part, value_text(model.training[part]));
  }
  for (const char* part : {"validation", "test"}) {
    if (!model.training.contains(part) || !model.training[part].contains("metrics")) continue;
    say("\n{}\n", part);
    print_object(model.training[part]["metrics"]);
  }
  return kDone;
}

}  // namespace

void add_inspect(CLI::App& program, Action& action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App& verb =
      *program.add_subcommand("inspect", "What a model file holds: network, parameters, preprocessing, training");
  verb.add_option("model", options->model, "A file that train wrote")->required()->type_name("MODEL");
  verb.add_flag("--json", options->json, "One line of JSON for machines; with the history of epochs");
  verb.footer("Example:\n  pellucid inspect income.safetensors");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
