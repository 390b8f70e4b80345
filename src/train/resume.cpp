// Where a training stands, written to a file and taken up again: the same bits come out as without the interruption.
#include <cmath>
#include <stdexcept>

#include "base/fail.h"
#include "pellucid/io.h"
#include "train/checkpoint.h"
#include "train/loop.h"

namespace pellucid::train {

using base::fail;
using Json = nlohmann::json;

namespace {

// What a training must have in common with the one that it goes on with, in words for messages.
constexpr std::pair<const char*, const char*> kTraits[] = {
    {"parameters", "the module or the optimiser"},
    {"loss", "the loss"},
    {"examples", "the number of examples"},
    {"rows", "the batch size"},
    {"seed", "the seed"},
    {"note", "the note (the options)"},
    {"data", "the training data"},
    {"validation", "the validation data"},
};

Reason reason_from(int number) {
  if (number < 0 || number > static_cast<int>(Reason::kStopped)) throw std::out_of_range("reason");
  return static_cast<Reason>(number);
}

}  // namespace

bool Loop::checkpoint_due() { return !o_.checkpoint.path.empty() && watch_.now() >= next_checkpoint_; }

Json Loop::traits() const {
  Json shapes = Json::array();
  for (const Array& x : state_) shapes.push_back({name_of(x.dtype()), x.shape()});
  const Dataset& validation = parts_.validation;
  return {{"parameters", std::move(shapes)},
          {"loss", o_.loss.name()},
          {"examples", examples_},
          {"rows", rows_},
          {"seed", o_.seed},
          {"note", o_.checkpoint.note},
          {"data", data_digest_},
          {"validation", digest({validation.x, validation.y, validation.weights})}};
}

// `end`: the training has come to its end, and this is why.
void Loop::write_checkpoint(const Reason* end) {
  CheckpointFile file;
  Json& words = file.words;
  const auto add = [&](const char* name, const Snapshot& snapshot) {
    file.groups[std::string(name) + ".parameters"] = snapshot.parameters;
    file.groups[std::string(name) + ".buffers"] = snapshot.buffers;
    if (o_.optimizer_state != nullptr) file.groups[std::string(name) + ".moments"] = snapshot.moments;
    words[name] = train::to_json(snapshot.epoch);
  };
  file.groups["state"] = state_;
  add("first", first_);
  add("best", best_snapshot_);
  add("finite", finite_);
  add("before", before_step_);
  add("chosen", chosen_);
  words["traits"] = traits();
  words["start"] = start_;
  words["total_steps"] = total_steps_;
  words["steps"] = steps_;
  words["since_best"] = since_best_;
  words["last"] = train::to_json(last_);
  words["best_value"] = train::to_json(best_);
  words["has_best"] = has_best_;
  words["stall"] = {train::to_json(stall_best_), train::to_json(stall_before_)};
  words["plateau"] = {{"best", plateau_.best ? train::to_json(*plateau_.best) : Json()},
                      {"bad", plateau_.bad},
                      {"cooldown", plateau_.cooldown},
                      {"scale", train::to_json(plateau_.scale)}};
  words["within"] = {{"steps", within_.steps}, {"seen", within_.seen}, {"sum", train::to_json(within_.sum)}};
  words["history"] = history_.to_json();
  words["seconds"] = train::to_json(watch_.now());
  words["end"] = end == nullptr ? Json() : Json(static_cast<int>(*end));
  words["failed_loss"] = train::to_json(failed_loss_);
  try {
    train::write_checkpoint(o_.checkpoint.path, file, before_);
    before_ = Before::kKept;
    checkpoint_error_.clear();
  } catch (const Error& error) {  // a full disk is no reason to lose what was learned
    checkpoint_error_ = error.what();
  }
  next_checkpoint_ = watch_.now() + o_.checkpoint.seconds;
}

void Loop::resume() {
  const std::string& path = o_.checkpoint.path;
  ReadCheckpoint read = read_checkpoint(path);
  CheckpointFile& file = read.file;
  const auto group = [&](const std::string& name) -> Arrays& { return file.groups.at(name); };
  const auto snapshot = [&](const std::string& name) {
    return Snapshot{group(name + ".parameters"), group(name + ".buffers"), epoch_from(file.words.at(name)),
                    o_.optimizer_state != nullptr ? group(name + ".moments") : Arrays()};
  };
  try {
    const Json& words = file.words;
    start_ = words.at("start");
    begin();
    const Json mine = traits(), &its = words.at("traits");
    for (const auto& [key, what] : kTraits) {
      if (mine.at(key) == its.at(key)) continue;
      const bool shown = mine.at(key).is_number() && its.at(key).is_number() && key != std::string_view("data") &&
                         key != std::string_view("validation");
      fail(
          "fit: the checkpoint '{}' is of another training: {} is not the same{}; take what it was written with, or "
          "remove it to begin anew",
          path, what, shown ? base::format(" ({} there, {} here)", its.at(key).dump(), mine.at(key).dump()) : "");
    }
    state_ = group("state");
    first_ = snapshot("first");
    best_snapshot_ = snapshot("best");
    finite_ = snapshot("finite");
    before_step_ = snapshot("before");
    chosen_ = snapshot("chosen");
    total_steps_ = words.at("total_steps");
    steps_ = words.at("steps");
    since_best_ = words.at("since_best");
    last_ = epoch_from(words.at("last"));
    best_ = number_from(words.at("best_value"));
    has_best_ = words.at("has_best");
    stall_best_ = number_from(words.at("stall").at(0));
    stall_before_ = number_from(words.at("stall").at(1));
    const Json& plateau = words.at("plateau");
    if (!plateau.at("best").is_null()) plateau_.best = number_from(plateau.at("best"));
    plateau_.bad = plateau.at("bad");
    plateau_.cooldown = plateau.at("cooldown");
    plateau_.scale = number_from(plateau.at("scale"));
    const Json& within = words.at("within");
    within_ = {.steps = within.at("steps"), .seen = within.at("seen"), .sum = number_from(within.at("sum"))};
    history_ = History::from_json(words.at("history"));
    watch_.add(number_from(words.at("seconds")));
    next_checkpoint_ = watch_.now() + o_.checkpoint.seconds;
    failed_loss_ = number_from(words.at("failed_loss"));
    const Json& end = words.at("end");
    if (!end.is_null()) ended_ = reason_from(end.get<int>());
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    fail("fit: the checkpoint '{}' is damaged; remove it to begin anew", path);
  }
  before_ = read.newest ? Before::kKept : Before::kDamaged;
  if (!read.warning.empty() && o_.checkpoint.warn) o_.checkpoint.warn(read.warning);
}

bool Loop::prepare_checkpoint() {
  const Checkpoint& checkpoint = o_.checkpoint;
  if (checkpoint.path.empty()) return false;
  const bool there = checkpoint_exists(checkpoint.path);
  // Two are kept, and a third is written beside them.
  io::check_writable(checkpoint.path, checkpoint_bytes() * (there ? 1 : 3));
  data_digest_ = digest({parts_.training.x, parts_.training.y, parts_.training.weights});
  for (const Array& frozen : learned_.frozen) data_digest_ = data_digest_ * 31 + digest({frozen});
  next_checkpoint_ = watch_.now() + checkpoint.seconds;
  return checkpoint.resume && there;
}

// Of one file, at most: the state, and parameters and buffers of the epochs that may be kept.
std::uint64_t Loop::checkpoint_bytes() const {
  constexpr std::size_t kSnapshots = 4;
  const auto bytes = [](const Arrays& arrays) {
    std::size_t sum = 0;
    for (const Array& x : arrays) sum += static_cast<std::size_t>(x.size()) * size_of(x.dtype());
    return sum;
  };
  const std::size_t parameters = bytes(learned_.trainable), count = learned_.trainable.size();
  const std::size_t moments = parameters * optimizer_.state_size(count) / count;
  return (parameters + bytes(learned_.buffers)) * (1 + kSnapshots) +
         moments * (o_.optimizer_state != nullptr ? 1 + kSnapshots : 1);
}

// What was stopped from outside can go on; what has come to its end needs no file.
void Loop::end_checkpoint(Reason reason) {
  if (o_.checkpoint.path.empty()) return;
  if (reason == Reason::kInterrupted || reason == Reason::kStopped || reason == Reason::kMaxSeconds) {
    write_checkpoint();
  } else if (o_.checkpoint.keep && reason != Reason::kDiverged) {
    write_checkpoint(&reason);
  } else {
    remove_checkpoint(o_.checkpoint.path);
  }
}

Json History::to_json() const {
  Json epochs = Json::array();
  for (const Epoch& epoch : kept_) epochs.push_back(train::to_json(epoch));
  return {{"epochs", std::move(epochs)}, {"seen", seen_}, {"stride", stride_}};
}

History History::from_json(const Json& json) {
  History history;
  for (const Json& epoch : json.at("epochs")) history.kept_.push_back(epoch_from(epoch));
  history.seen_ = json.at("seen");
  history.stride_ = json.at("stride");
  return history;
}

}  // namespace pellucid::train
