// SIGINT while training runs: the first one asks to stop, the second one ends the program.
#pragma once

namespace pellucid::train {

/// While one exists, SIGINT sets a flag once and is then back at its default. The first of several installs the
/// handler, the last puts back what was there. Where SIGINT is ignored it stays so.
class InterruptScope {
 public:
  explicit InterruptScope(bool wanted);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  bool requested() const;

 private:
  bool wanted_;
};

}  // namespace pellucid::train
