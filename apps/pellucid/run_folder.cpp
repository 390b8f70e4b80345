// See run_folder.h.
#include "run_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "cli.h"
#include "io/file.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kRecord = "/run.json";
constexpr int kFormat = 1;

bool is_checkpoint(const std::string& name) { return name.starts_with("checkpoint"); }

// Names that this program gives to files of a run; half-written ones begin with a dot and end in .partial.
bool is_ours(const std::string& name) {
  return is_checkpoint(name) || name == "run.json" || name == "log.jsonl" || name == "lock" ||
         name == "model.safetensors" || (name.starts_with(".") && name.ends_with(".partial"));
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

void remove(const std::string& folder, bool (*which)(const std::string& name)) {
  std::error_code error;
  for (const std::string& name : names_in(folder)) {
    if (which(name)) fs::remove(fs::path(folder) / name, error);
  }
}

void make_folder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return;
  if (fs::exists(path, error)) base::fail("'{}' is a file, and a run is a folder; choose another name", path);
  if (!fs::create_directory(path, error)) {
    base::fail("cannot make the folder '{}': {}; choose another place or change its permissions", path,
               error.message());
  }
}

}  // namespace

std::optional<RunRecord> read_run(const std::string& folder) {
  const std::string path = folder + kRecord;
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  const io::FileBytes bytes = io::read_file(path, "run");
  RunRecord record;
  int format = 0;
  try {
    const Json json = Json::parse(bytes.view());
    format = json.at("format").get<int>();
    if (format == kFormat) {
      record.options = json.at("options").get<std::map<std::string, std::vector<std::string>>>();
      record.model = json.at("model").get<std::string>();
      record.state = json.at("state").get<std::string>();
      record.temporary = json.at("temporary").get<bool>();
    }
  } catch (const Json::exception&) {
    base::fail("'{}' is damaged; remove the folder and begin anew", path);
  }
  if (format != kFormat) {
    base::fail("'{}' has format {}, and this program reads {}; take the program that wrote it", path, format, kFormat);
  }
  return record;
}

std::string model_of_run(const std::string& folder, const RunRecord& record) {
  return record.temporary || record.options.contains("out") ? record.model : folder + "/model.safetensors";
}

void RunFolder::begin() {
  const std::string& path = setup_.path;
  if (path.empty() || lock_) return;
  make_folder(path);
  lock_.emplace(path + "/lock", path);
  const std::optional<RunRecord> there = read_run(path);
  if (!there) {
    for (const std::string& name : names_in(path)) {
      if (!is_ours(name)) base::fail("'{}' holds '{}', which is of no run; give a new folder", path, name);
    }
  }
  const bool free = setup_.anew || setup_.resume;
  const bool unfinished = there && !there->done() && going_on();
  const bool same = there && there->options == setup_.record.options && there->model == setup_.record.model;
  if (there && !free && there->done()) {
    base::fail(
        "'{}' holds a training that has ended, with the model '{}'; take another folder, or --anew to throw it away",
        path, model_of_run(path, *there));
  }
  if (unfinished && !free && !same) {
    base::fail(
        "'{}' holds an interrupted training with other options; `pellucid train --resume {}` goes on with it; or take "
        "another folder, or --anew to throw it away",
        path, path);
  }
  remove(path, [](const std::string& name) { return name.ends_with(".partial"); });
  if (!unfinished || setup_.anew) {
    remove(path, [](const std::string& name) { return is_checkpoint(name) || name == "log.jsonl"; });
  } else if (!setup_.silent) {
    say("going on with the training in '{}', which was interrupted\n", path);
  }
  write("training");
}

void RunFolder::begin_training() {
  begin();
  interrupt_.emplace(true);
}

RunFolder::~RunFolder() {
  if (lock_ && setup_.record.temporary && !going_on()) remove_files();
}

Checkpoint RunFolder::checkpoint(const std::string& stage) const {
  if (setup_.path.empty()) return {};
  Checkpoint checkpoint;
  checkpoint.path = setup_.path + "/checkpoint" + (stage.empty() ? "" : "-" + stage);
  checkpoint.seconds = setup_.seconds;
  checkpoint.keep = true;
  checkpoint.warn = [](const std::string& text) { warn(text); };
  return checkpoint;
}

bool RunFolder::going_on() const {
  const std::vector<std::string> names = names_in(setup_.path);
  return std::any_of(names.begin(), names.end(), is_checkpoint);
}

void RunFolder::write(const std::string& state) {
  setup_.record.state = state;
  const RunRecord& record = setup_.record;
  const Json json = {{"format", kFormat},
                     {"options", record.options},
                     {"model", record.model},
                     {"state", record.state},
                     {"temporary", record.temporary}};
  base::write_file(setup_.path + kRecord, json.dump(2) + "\n");
}

void RunFolder::stop() {
  if (lock_) write("stopped");
}

void RunFolder::finish() {
  if (!lock_) return;
  if (setup_.record.temporary) return remove_files();
  write("done");
  remove(setup_.path, is_checkpoint);
}

// What is not of this program stays, and the folder with it. Without its record a folder holds no run.
void RunFolder::remove_files() {
  remove(setup_.path, [](const std::string& name) { return name == "run.json"; });
  remove(setup_.path,
         [](const std::string& name) { return is_ours(name) && name != "lock" && name != "model.safetensors"; });
  lock_.reset();
  std::error_code error;
  fs::remove(setup_.path, error);
}

}  // namespace pellucid::cli
