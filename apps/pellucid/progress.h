// What is shown while a network learns: a live line on a terminal, plain lines elsewhere, JSON lines for machines, and
// the log file, which alone holds times.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "io/events.h"
#include "pellucid/train.h"

namespace pellucid::cli {

enum class Style { kPeople, kJson, kQuiet };

class ProgressView {
 public:
  struct Setup {
    Style style = Style::kPeople;
    std::int64_t epochs = 0;    // the most
    std::int64_t examples = 0;  // in an epoch
    std::string metric;         // its label; that of Epoch::metrics[0]
    bool percent = false;       // the metric is a share
    bool may_stop_early = false;
    std::string log;          // a file of JSON lines, one for each epoch; empty: none
    std::string run_log;      // the same in the folder of a run: goes on where an interrupted training stopped
    std::string tensorboard;  // a folder for an event file; empty: none
  };
  /// Throws Error where the log or the events cannot be written.
  explicit ProgressView(Setup setup);
  ~ProgressView();
  ProgressView(const ProgressView&) = delete;
  ProgressView& operator=(const ProgressView&) = delete;

  void epoch(const Epoch& epoch);
  /// Of an epoch that has ended before: another training, of which there is no line for each epoch.
  void within(const Progress& progress);
  /// Removes the live line, and makes sure that the last epoch is shown.
  void finish();

 private:
  std::string line(const Epoch& epoch) const;
  std::string metric(const Epoch& epoch) const;
  // The metric in it is that of the last epoch that has come to its end.
  void live(std::int64_t epoch, double share, double loss, const std::string& speed, double left);
  void show(const std::string& text);
  void erase();
  void log_to_run(const Epoch& epoch, const std::string& text);
  bool worth_keeping(const Epoch& epoch) const;

  Setup setup_;
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> log_, run_log_;
  std::unique_ptr<io::EventFile> events_;
  Epoch last_;
  bool shown_ = true;        // the last epoch stands in a line of its own
  bool live_ = false;        // a live line stands on the terminal
  double started_ = 0;       // seconds when the running epoch began
  double last_seconds_ = 0;  // the last epoch's duration
};

}  // namespace pellucid::cli
