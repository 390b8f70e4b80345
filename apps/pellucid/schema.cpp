// pellucid schema: what a table's columns are, for people to read and edit.
#include "pellucid/schema.h"

#include <memory>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "cli.h"
#include "columns.h"
#include "model.h"
#include "pellucid/data.h"
#include "pellucid/io.h"
#include "pellucid/threads.h"
#include "schema_file.h"
#include "values.h"

namespace pellucid::cli {
namespace {

struct SchemaOptions {
  std::string data, target, out;
  int threads = 0;
  bool json = false;
};

void show(const data::Schema& schema, const io::Table* table) {
  if (table != nullptr) {
    say("{}: {}, {}\n", table->source, counted(table->rows, "row", "rows"),
        counted(static_cast<std::int64_t>(table->columns.size()), "column", "columns"));
    for (const std::string& note : table->notes) say("  note: {}\n", note);
  }
  std::vector<std::vector<std::string>> rows = {{"column", "type", "role", "missing", "values"}};
  for (const data::ColumnSchema& column : schema.columns) {
    std::string values = shortened(values_text(column), 60);
    if (column.on_unseen == data::OnUnseen::kRefuse) values += "; refuses others";
    if (column.on_missing == data::OnMissing::kRefuse) values += "; refuses missing ones";
    if (column.out_of_range != data::OutOfRange::kAccept)
      values += column.out_of_range == data::OutOfRange::kClip ? "; clips" : "; refuses what is outside";
    rows.push_back({shortened(column.name, 32), std::string(name_of(column.type)), std::string(name_of(column.role)),
                    missing_text(column.missing), values});
  }
  say(aligned(rows, {false, false, false, true, false}));
}

bool is_model(const std::string& path) { return path.ends_with(".safetensors"); }

int run(const SchemaOptions& options) {
  if (!options.out.empty()) io::check_writable(options.out);
  if (options.threads > 0) set_threads(options.threads);
  data::Schema schema;
  io::Table table;
  if (is_model(options.data)) {
    if (!options.target.empty()) usage("--target is for a table, and '{}' is a model; leave it out", options.data);
    const Model model = load(options.data);
    if (model.source != data::Source::kTable)
      base::fail("'{}' is a model of pictures, which have no schema", options.data);
    schema = model.table.schema;
  } else {
    if (data::recognise(options.data) != data::Source::kTable) {
      base::fail("'{}' holds pictures, which have no schema; give a table", options.data);
    }
    io::CsvOptions reading;
    reading.progress = reading_line(options.data);
    table = io::read_table(options.data, reading);
    schema = data::find_schema(table, options.target);
  }
  const std::string text = options.json || options.out.ends_with(".json")
                               ? Json::parse(data::to_json(schema)).dump(2) + "\n"
                               : to_toml(schema, options.data);
  if (!options.out.empty()) base::write_file(options.out, text);
  if (options.json) {
    say(text);
    return kDone;
  }
  show(schema, is_model(options.data) ? nullptr : &table);
  if (!options.out.empty()) say("\nwrote {}; edit it, and give it to train as --schema {}\n", options.out, options.out);
  return kDone;
}

}  // namespace

void add_schema(CLI::App& program, Action& action) {
  auto options = std::make_shared<SchemaOptions>();
  CLI::App& verb = *program.add_subcommand("schema", "What the columns of a table are, to read, edit and train by");
  verb.add_option("data", options->data, "A table as for train, or a model that was trained on one")
      ->required()
      ->type_name("DATA");
  verb.add_option("--target", options->target, "The column to predict")->type_name("COLUMN");
  verb.add_option("--out", options->out, "The file to write: TOML, or JSON where its name ends in .json")
      ->type_name("FILE");
  verb.add_flag("--json", options->json, "JSON instead of a table");
  verb.add_option("--threads", options->threads, "Threads to work with")->check(whole(1, 1024))->type_name("N");
  verb.footer(
      "Examples:\n"
      "  pellucid schema income.csv --target income\n"
      "  pellucid schema income.csv --target income --out schema.toml\n"
      "  pellucid train income.csv --schema schema.toml\n"
      "  pellucid schema income.safetensors");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
