// train --resume: the options of a run are kept in its folder, and given back to the parser.
#include <algorithm>
#include <filesystem>

#include "base/fail.h"
#include "cli.h"
#include "training.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;

// Options that make no difference to the model: they may differ when a run goes on.
bool is_free(const std::string& name) {
  static const std::vector<std::string> kFree = {"resume",  "run",  "anew",  "checkpoint", "config",
                                                 "threads", "json", "quiet", "help"};
  return std::find(kFree.begin(), kFree.end(), name) != kFree.end();
}

bool names_a_path(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type == "DATA" || type == "FILE" || type == "FOLDER" || type == "DIR";
}

}  // namespace

Json given_options(const CLI::App& verb) {
  Json given = Json::object();
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || is_free(name)) continue;
    std::vector<std::string> texts = option->results();
    for (std::string& text : texts) {
      if (names_a_path(*option)) text = fs::absolute(text).lexically_normal().string();
    }
    given[name] = std::move(texts);
  }
  return given;
}

void apply_run(CLI::App& verb, TrainOptions& options) {
  const std::string& folder = options.resume;
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || is_free(name) || name == "max-seconds") continue;
    usage("--resume takes the options of '{}'; leave {} out, or train anew in another folder", folder,
          option->get_positional() ? "DATA" : "--" + name);
  }
  if (!options.run.empty() || options.anew) usage("--resume names the run; leave --run and --anew out");
  std::error_code error;
  if (!fs::is_directory(folder, error))
    usage("--resume: there is no folder '{}'; give one that --run has made", folder);
  const std::optional<RunRecord> record = read_run(folder);
  if (!record) usage("--resume: '{}' holds no run; give a folder that --run has made", folder);
  for (const auto& [name, texts] : record->options.items()) {
    CLI::Option* option = verb.get_option_no_throw(name == "data" ? name : "--" + name);
    if (option == nullptr) usage("'{}' has an option '{}' that this program does not know", folder, name);
    if (option->count() > 0) continue;
    try {
      option->add_result(texts.get<std::vector<std::string>>());
      option->run_callback();
    } catch (const CLI::Error& problem) {
      usage("'{}': --{}: {}", folder, name, problem.what());
    }
  }
  options.run = folder;
  options.run_is_temporary = record->temporary;
  if (options.out.empty()) options.out = model_of_run(folder, *record);
}

}  // namespace pellucid::cli
