// Environment variables for tests of what is read from them.
#pragma once

#include <cstdlib>
#include <string>

namespace pellucid {

/// An environment variable that is set for as long as this lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

/// All passes that PELLUCID_DISABLE can name (graph::kPassNames).
inline constexpr const char* kAllPasses =
    "simplify,fold,cse,scans,narrow,store_narrow,dce,fuse,chain,epilogue,place,batch";

}  // namespace pellucid
