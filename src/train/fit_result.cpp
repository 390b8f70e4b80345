// How training ended, in words.
#include <fmt/format.h>

#include <ostream>

#include "base/fail.h"
#include "pellucid/train.h"
#include "train/words.h"

namespace pellucid {

namespace {

std::string duration(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  if (seconds < 120) return fmt::format("{:.3g} s", seconds);
  return fmt::format("{} min {} s", static_cast<std::int64_t>(seconds) / 60, static_cast<std::int64_t>(seconds) % 60);
}

}  // namespace

std::string train::short_number(double value, int digits) {
  std::string text = fmt::format("{:.{}g}", base::without_sign_of_nan(value), digits);
  const std::size_t e = text.find('e');
  if (e != std::string::npos && text.size() > e + 3 && text[e + 2] == '0') text.erase(e + 2, 1);
  if (e != std::string::npos && text[e + 1] == '+') text.erase(e + 1, 1);
  return text;
}

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::kConverged:
      return "converged";
    case Reason::kTarget:
      return "target reached";
    case Reason::kNoImprovement:
      return "no improvement";
    case Reason::kMaxEpochs:
      return "maximum of epochs";
    case Reason::kMaxSeconds:
      return "maximum of seconds";
    case Reason::kDiverged:
      return "diverged";
    case Reason::kInterrupted:
      return "interrupted";
    case Reason::kStopped:
      return "stopped";
  }
  return "unknown";
}

std::string to_string(const FitResult& result) {
  std::string text = result.explanation;
  text += result.epoch > 0 ? fmt::format(" at epoch {}", result.epoch) : " before the end of epoch 1";
  if (result.restart > 0) text += fmt::format(", restart {}", result.restart);
  text += ": ";
  if (result.kept_epoch > 0) text += fmt::format("loss {}, ", train::short_number(result.loss, 4));
  if (result.validation_loss) {
    text += fmt::format("validation loss {}, ", train::short_number(*result.validation_loss, 4));
  }
  for (const auto& [name, value] : result.metrics) text += fmt::format("{} {}, ", name, train::short_number(value, 4));
  return text + fmt::format("{} steps in {}", result.steps, duration(result.seconds));
}

std::ostream& operator<<(std::ostream& out, const FitResult& result) { return out << to_string(result); }

}  // namespace pellucid
