// pellucid evaluate: how good a model is on data whose targets are known.
#include <algorithm>
#include <memory>

#include "assess.h"
#include "base/philox.h"
#include "cli.h"
#include "html_pictures.h"
#include "html_report.h"
#include "model.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "report.h"
#include "stream.h"
#include "values.h"

namespace pellucid::cli {
namespace {

struct EvaluateOptions {
  std::string model, data, report;
  int threads = 0;
  bool json = false;
};

// Some rows of a stream, each with the same chance (Vitter 1985, "Random sampling with a reservoir": R).
class Reservoir {
 public:
  explicit Reservoir(std::int64_t most) : most_(static_cast<std::size_t>(most)) {}
  void add(const Array& rows) {
    width_ = rows.shape()[1];
    const float* values = rows.data<float>();
    for (std::int64_t i = 0; i < rows.shape()[0]; ++i, ++seen_) {
      std::size_t place = seen_;
      if (seen_ >= most_) place = base::philox(0, 0, seen_)[0] * (std::uint64_t{seen_} + 1) >> 32;
      if (place >= most_) continue;
      if (place >= at_.size()) at_.resize(place + 1);
      at_[place] = static_cast<std::int64_t>(seen_);
      values_.resize(at_.size() * static_cast<std::size_t>(width_));
      std::copy_n(values + i * width_, width_, values_.begin() + static_cast<std::int64_t>(place) * width_);
    }
  }
  Array rows() const { return Array::from(values_, {static_cast<std::int64_t>(at_.size()), width_}); }
  Array positions() const { return Array::from(at_); }

 private:
  std::size_t most_, seen_ = 0;
  std::int64_t width_ = 0;
  std::vector<std::int64_t> at_;
  std::vector<float> values_;
};

int run(const EvaluateOptions& options) {
  if (options.threads > 0) set_threads(options.threads);
  if (!options.report.empty()) io::check_writable(options.report);
  Model model = load(options.model);
  Examples examples;
  Assessed assessed;
  Report report{.model = options.model, .data = options.data};
  if (model.source == data::Source::kTable) {  // of any size: only outputs, targets and some rows are held
    Arrays parts;
    Reservoir some(importance_rows(model));
    const Streamed streamed = stream_predictions(model, options.data, true, [&](const Array& x, const Array& output) {
      some.add(x);
      parts.push_back(output);
    });
    examples = {.source = options.data,
                .x = {},
                .y = streamed.y,
                .files = {},
                .rows = streamed.rows,
                .unlabelled = streamed.unlabelled};
    assessed = assess(model, parts.size() == 1 ? parts[0] : concat(parts).evaluate(), examples.y);
    assessed.importance = find_importance(model, some.rows(), take(examples.y, some.positions()).evaluate());
  } else {
    examples = read_examples(model, options.data, true);
    const Array output = predictions(model, examples.x);
    assessed = assess(model, output, examples.y);
    if (!options.report.empty()) report.examples = html::examples(model, examples.x, output, examples.y);
  }
  if (!options.report.empty()) {
    report.parts.push_back(
        {.title = fmt::format("on the {} of {}", counted(examples.rows, "row", "rows"), examples.source),
         .assessed = assessed});
    write_report(options.report, model, report);
  }
  if (options.json) {
    nlohmann::ordered_json line = {{"model", options.model}, {"data", options.data}, {"rows", examples.rows}};
    line.update(to_full_json(assessed, model));
    print_json(line);
    return kDone;
  }
  say("{} on {}: {}\n", options.model, examples.source, counted(examples.rows, "row", "rows"));
  if (examples.unlabelled > 0) {
    say("  {} without a target left out\n", counted(examples.unlabelled, "row", "rows"));
  }
  say(to_text(assessed, model, Detail::kAll, terminal_columns()));
  if (!options.report.empty()) say("\nthe report is in {}\n", options.report);
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
  verb.add_option("--threads", options->threads, "Threads to work with")->check(whole(1, 1024))->type_name("N");
  verb.add_option("--report", options->report, "A page with pictures of the result: one HTML file")->type_name("FILE");
  verb.add_flag("--json", options->json, "One line of JSON for machines");
  verb.footer(
      "Examples:\n"
      "  pellucid evaluate income.safetensors held-out.csv\n"
      "  pellucid evaluate income.safetensors held-out.csv --report income.html\n"
      "  pellucid evaluate fashion.safetensors /usr/share/datasets/fashion-mnist");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
