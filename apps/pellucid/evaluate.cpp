// pellucid evaluate: how good a model is on data whose targets are known.
#include <memory>

#include "cli.h"
#include "model.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "report.h"
#include "stream.h"

namespace pellucid::cli {
namespace {

struct EvaluateOptions {
  std::string model, data;
  int threads = 0;
  bool json = false;
};

int run(const EvaluateOptions& options) {
  if (options.threads > 0) set_threads(options.threads);
  Model model = load(options.model);
  Examples examples;
  Array output;
  if (model.source == data::Source::kTable) {  // of any size: only outputs and targets are held
    Arrays parts;
    const Streamed streamed =
        stream_predictions(model, options.data, true, [&](const Array& part) { parts.push_back(part); });
    examples = {.source = options.data,
                .x = {},
                .y = streamed.y,
                .files = {},
                .rows = streamed.rows,
                .unlabelled = streamed.unlabelled};
    output = parts.size() == 1 ? parts[0] : concat(parts).evaluate();
  } else {
    examples = read_examples(model, options.data, true);
    output = predictions(model, examples.x);
  }
  const Scores scores = score(model, output, examples.y);
  if (options.json) {
    nlohmann::ordered_json line = {{"model", options.model}, {"data", options.data}, {"rows", examples.rows}};
    line.update(to_json(scores));
    print_json(line);
    return kDone;
  }
  say("{} on {}: {}\n", options.model, examples.source, counted(examples.rows, "row", "rows"));
  if (examples.unlabelled > 0) {
    say("  {} without a target left out\n", counted(examples.unlabelled, "row", "rows"));
  }
  say(to_text(scores, model));
  return kDone;
}

}  // namespace

void add_evaluate(CLI::App& program, Action& action) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App& verb = *program.add_subcommand("evaluate", "Metrics of a model on data whose targets are known");
  verb.add_option("model", options->model, "A file that train wrote")->required()->type_name("MODEL");
  verb.add_option("data", options->data, "A CSV file with the target, or pictures as for train (their test part)")
      ->required()
      ->type_name("DATA");
  verb.add_option("--threads", options->threads, "Threads to work with")
      ->check(unnamed(CLI::Range(1, 1024)))
      ->type_name("N");
  verb.add_flag("--json", options->json, "One line of JSON for machines");
  verb.footer(
      "Examples:\n"
      "  pellucid evaluate income.safetensors held-out.csv\n"
      "  pellucid evaluate fashion.safetensors /usr/share/datasets/fashion-mnist");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
