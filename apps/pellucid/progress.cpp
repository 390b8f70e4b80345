// Lines about epochs.
#include "progress.h"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "terminal.h"

namespace pellucid::cli {
namespace {

constexpr std::int64_t kLines = 20;  // kept of one training, about

std::string rate(double examples, double seconds) {
  if (seconds <= 0) return "";
  const double rate = examples / seconds;
  return fmt::format("{}/s", rate < 10 ? fmt::format("{:.1f}", rate) : grouped(static_cast<std::int64_t>(rate)));
}

nlohmann::ordered_json json_of(const Epoch& epoch, const std::string& metric) {
  nlohmann::ordered_json json = {{"event", "epoch"}, {"epoch", epoch.epoch}, {"loss", epoch.loss}};
  if (epoch.validation_loss) json["validation_loss"] = *epoch.validation_loss;
  if (!epoch.metrics.empty()) json[metric] = epoch.metrics[0];
  json["learning_rate"] = epoch.learning_rate;
  json["steps"] = epoch.steps;
  json["best"] = epoch.best;
  return json;
}

// The lines of epochs before `epoch`: later ones were written after the last checkpoint, and are done again.
std::string lines_before(const std::string& path, std::int64_t epoch) {
  std::ifstream file(path);
  std::string kept;
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || json.value("epoch", epoch) >= epoch) break;
    kept += line + '\n';
  }
  return kept;
}

}  // namespace

ProgressView::ProgressView(Setup setup) : setup_(std::move(setup)) {
  if (!setup_.tensorboard.empty()) events_ = std::make_unique<io::EventFile>(setup_.tensorboard);
  if (setup_.log.empty()) return;
  log_.reset(std::fopen(setup_.log.c_str(), "w"));
  if (!log_) {
    base::fail("cannot write the log '{}': {}; choose another place", setup_.log, base::errno_text(errno));
  }
}

ProgressView::~ProgressView() {
  if (live_) std::fputs("\r\x1b[K", stdout);
}

std::string ProgressView::line(const Epoch& epoch) const {
  const auto digits = static_cast<int>(std::to_string(setup_.epochs).size());
  std::string text = fmt::format("  epoch {:>{}}/{}", epoch.epoch, digits, setup_.epochs);
  text += base::format("  loss {:.4f}", epoch.loss);
  if (epoch.validation_loss) text += base::format("  validation loss {:.4f}", *epoch.validation_loss);
  return text + metric(epoch);
}

std::string ProgressView::metric(const Epoch& epoch) const {
  if (epoch.metrics.empty()) return "";
  return setup_.percent ? base::format("  {} {:.2f} %", setup_.metric, epoch.metrics[0] * 100)
                        : base::format("  {} {:.5g}", setup_.metric, epoch.metrics[0]);
}

bool ProgressView::worth_keeping(const Epoch& epoch) const {
  const std::int64_t every = (setup_.epochs + kLines - 1) / kLines;
  return epoch.epoch == 1 || epoch.epoch % every == 0 || epoch.epoch == setup_.epochs;
}

void ProgressView::epoch(const Epoch& epoch) {
  last_seconds_ = epoch.seconds - started_;
  started_ = epoch.seconds;
  last_ = epoch;
  shown_ = false;
  if (events_) {
    events_->scalar("loss/training", epoch.epoch, epoch.loss);
    if (epoch.validation_loss) events_->scalar("loss/validation", epoch.epoch, *epoch.validation_loss);
    if (!epoch.metrics.empty())
      events_->scalar(setup_.percent ? "accuracy" : "root_mean_squared_error", epoch.epoch, epoch.metrics[0]);
    events_->scalar("learning_rate", epoch.epoch, epoch.learning_rate);
    events_->scalar("seconds", epoch.epoch, epoch.seconds);
  }
  nlohmann::ordered_json json;
  const bool logged = log_ || !setup_.run_log.empty();
  if (setup_.style == Style::kJson || logged) json = json_of(epoch, setup_.metric);
  if (logged) json["seconds"] = epoch.seconds;
  if (!setup_.run_log.empty()) log_to_run(epoch, json.dump() + "\n");
  if (log_) {
    const std::string text = json.dump() + "\n";
    if (std::fwrite(text.data(), 1, text.size(), log_.get()) != text.size() || std::fflush(log_.get()) != 0) {
      base::fail("cannot write the log '{}': {}; free some space or choose another place", setup_.log,
                 base::errno_text(errno));
    }
  }
  if (setup_.style == Style::kJson) {
    json["seconds"] = epoch.seconds;
    print_json(json);
    return;
  }
  if (setup_.style == Style::kQuiet) return;
  const std::string speed = rate(static_cast<double>(setup_.examples), last_seconds_);
  if (worth_keeping(epoch)) {
    erase();
    say("{}  {}{}\n", line(epoch), speed, epoch.best ? "  *" : "");
    flush();
    shown_ = true;
  } else if (on_terminal()) {
    live(epoch.epoch, 1, epoch.loss, speed, last_seconds_ * static_cast<double>(setup_.epochs - epoch.epoch));
  }
}

// What is lost here can be done without, so a full disk does not end the training.
void ProgressView::log_to_run(const Epoch& epoch, const std::string& text) {
  const std::string& path = setup_.run_log;
  try {
    if (!run_log_) {
      base::write_file(path, lines_before(path, epoch.epoch));
      run_log_.reset(std::fopen(path.c_str(), "a"));
    }
    if (run_log_ && std::fwrite(text.data(), 1, text.size(), run_log_.get()) == text.size() &&
        std::fflush(run_log_.get()) == 0) {
      return;
    }
    warn(fmt::format("the log '{}' ends here: {}; training goes on", path, base::errno_text(errno)));
  } catch (const Error& error) {
    warn(fmt::format("there is no log: {}; training goes on", error.what()));
  }
  setup_.run_log.clear();
}

void ProgressView::within(const Progress& progress) {
  if (setup_.style != Style::kPeople || !on_terminal() || progress.total == 0) return;
  const double seconds = progress.seconds - started_;
  const double share = static_cast<double>(progress.examples) / static_cast<double>(progress.total);
  if (progress.restart == last_.restart && progress.epoch <= last_.epoch) {
    show(fmt::format("  another ensemble: epoch {}  {:3.0f} %  loss {:.4f}", progress.epoch, share * 100,
                     progress.loss));
    return;
  }
  const double whole = share > 0 ? seconds / share : 0;
  const double left = whole * (1 - share) + whole * static_cast<double>(setup_.epochs - progress.epoch);
  live(progress.epoch, share, progress.loss, rate(static_cast<double>(progress.examples), seconds), left);
}

// Short enough for 80 columns, so that the time left is not cut off.
void ProgressView::live(std::int64_t epoch, double share, double loss, const std::string& speed, double left) {
  const std::string text =
      fmt::format("  epoch {}/{}  {:3.0f} %  loss {:.4f}{}  {}  {}{} left", epoch, setup_.epochs, share * 100, loss,
                  metric(last_), speed, setup_.may_stop_early ? "at most " : "", duration(left));
  show(text);
}

void ProgressView::show(const std::string& text) {
  say("\r" + shortened(text, terminal_columns() - 1) + "\x1b[K");
  flush();
  live_ = true;
}

void ProgressView::erase() {
  if (live_) say("\r\x1b[K");
  live_ = false;
}

void ProgressView::finish() {
  if (setup_.style != Style::kPeople) return;
  erase();
  if (!shown_) say(line(last_) + "\n");
  shown_ = true;
}

}  // namespace pellucid::cli
