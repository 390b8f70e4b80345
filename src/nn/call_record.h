// The list of layer calls that summary() prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pellucid/nn.h"

namespace pellucid::nn {

/// While one exists, every finished call of a layer on this thread is written down in the innermost one.
class CallRecord {
 public:
  struct Entry {
    const Layer* layer;
    std::string path;
    Shape output;
    std::uint64_t end;  // nodes made in the call have numbers below
  };
  CallRecord();
  ~CallRecord();
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;
  std::vector<Entry> calls;

 private:
  CallRecord* outer_;
};

}  // namespace pellucid::nn
