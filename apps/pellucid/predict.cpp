// pellucid predict: a model and new data to a CSV of predictions.
#include <memory>

#include "base/atomic_file.h"
#include "cli.h"
#include "model.h"
#include "pellucid/io.h"
#include "pellucid/threads.h"
#include "stream.h"
#include "values.h"

namespace pellucid::cli {
namespace {

struct PredictOptions {
  std::string model, data, out;
  int threads = 0;
};

io::Column file_column(const std::vector<std::string>& files) {
  io::Column column;
  column.name = "file";
  column.text = true;
  column.levels = files;
  for (std::size_t i = 0; i < files.size(); ++i) column.codes.push_back(static_cast<std::int32_t>(i));
  return column;
}

int run(const PredictOptions& options) {
  if (!options.out.empty()) io::check_writable(options.out);
  if (options.threads > 0) set_threads(options.threads);
  Model model = load(options.model);
  if (model.source == data::Source::kTable) {
    if (options.out.empty()) {
      stream_csv(model, options.data, [](std::string_view text) { say(text); });
    } else {
      base::AtomicFile file(options.out);
      stream_csv(model, options.data, [&](std::string_view text) { file.write(text); });
      file.commit();
    }
    return kDone;
  }
  const Examples examples = read_examples(model, options.data, false);
  io::Table table = data::decode_predictions(model.target, predictions(model, examples.x));
  if (!examples.files.empty()) table.columns.insert(table.columns.begin(), file_column(examples.files));
  if (options.out.empty()) {
    say(io::to_csv(table));
  } else {
    io::write_csv(options.out, table);
  }
  return kDone;
}

}  // namespace

void add_predict(CLI::App& program, Action& action) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App& verb = *program.add_subcommand("predict", "Predict the rows of a table or pictures, as CSV");
  verb.add_option("model", options->model, "A file that train wrote")->required()->type_name("MODEL");
  verb.add_option("data", options->data,
                  "A CSV file with the columns of training (the target may be absent), pictures as for train (their "
                  "test part), one IDX file of pictures, a PNG or JPEG file, or a folder of them")
      ->required()
      ->type_name("DATA");
  verb.add_option("--out", options->out, "The CSV file (standard output where left out)")->type_name("FILE");
  verb.add_option("--threads", options->threads, "Threads to work with")->check(whole(1, 1024))->type_name("N");
  verb.footer(
      "One line for each row, in their order: the prediction, and for classes the probability of each; before them "
      "the\n"
      "name of the file where each picture is one.\n\n"
      "Examples:\n"
      "  pellucid predict income.safetensors new.csv > out.csv\n"
      "  pellucid predict fashion.safetensors t10k-images-idx3-ubyte.gz --out out.csv\n"
      "  pellucid predict pets.safetensors photo.jpg");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
