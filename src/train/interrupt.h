// SIGINT, SIGTERM and SIGHUP while training runs: the first one asks to stop, the second one ends the program.
#pragma once

namespace pellucid::train {

/// While one exists, the first of these signals is noted, and a second one does what it does by default. The first of
/// several scopes installs the handlers, the last puts back what was there; a scope around several trainings lets a
/// signal end them all. A signal that is ignored stays so.
class InterruptScope {
 public:
  explicit InterruptScope(bool wanted);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  bool requested() const { return signal() != 0; }
  /// The signal that came; 0: none.
  int signal() const;

 private:
  bool wanted_;
};

/// "SIGINT", "SIGTERM", "SIGHUP".
const char* signal_name(int signal);

}  // namespace pellucid::train
