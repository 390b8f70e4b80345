// pellucid ops: the operations that the engine knows, printed from their records.
#include <memory>

#include "base/fail.h"
#include "cli.h"
#include "ops/record.h"

namespace pellucid::cli {
namespace {

struct OpsOptions {
  std::string name;
  bool json = false;
};

std::string types_of(const ops::Record& record) {
  if (record.dtypes.empty()) return "all";
  std::vector<std::string> names;
  for (const DType dtype : record.dtypes) names.emplace_back(name_of(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

int run(const OpsOptions& options) {
  std::vector<const ops::Record*> records = ops::all_records();
  if (!options.name.empty()) {
    const ops::Record* record = ops::find_record(options.name);
    if (record == nullptr) {
      base::fail("there is no operation '{}'; `pellucid ops` lists the {} that there are", options.name,
                 records.size());
    }
    records = {record};
  }
  if (options.json) {
    for (const ops::Record* record : records) {
      print_json({{"name", record->name},
                  {"summary", record->summary},
                  {"shapes", record->shapes},
                  {"dtypes", types_of(*record)},
                  {"differentiable", record->differentiable}});
    }
    return kDone;
  }
  if (!options.name.empty()) {
    const ops::Record& record = *records[0];
    say("{}: {}\nshapes: {}\ntypes: {}\n{}\n", record.name, record.summary, record.shapes, types_of(record),
        record.differentiable ? "differentiable" : "not differentiable");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const ops::Record* record : records) {
    rows.push_back({std::string(record->name), record->differentiable ? "d" : "", std::string(record->summary)});
  }
  say(aligned(rows, {}, ""));
  say("\n{} primitive operations, from their records; d: differentiable. All others are composed of them.\n"
      "`pellucid ops NAME` has the shapes and types of one.\n",
      records.size());
  return kDone;
}

}  // namespace

void add_ops(CLI::App& program, Action& action) {
  auto options = std::make_shared<OpsOptions>();
  CLI::App& verb = *program.add_subcommand("ops", "The primitive operations of the engine, from their records");
  verb.add_option("name", options->name, "One operation alone")->type_name("NAME");
  verb.add_flag("--json", options->json, "A line of JSON for each");
  verb.footer("Example:\n  pellucid ops contract");
  verb.callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace pellucid::cli
