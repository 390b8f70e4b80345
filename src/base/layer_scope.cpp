// The path of the layer that operations of this thread belong to.
#include <vector>

#include "pellucid/error.h"

namespace pellucid {

namespace {
thread_local std::vector<std::shared_ptr<const std::string>> scopes;
}

LayerScope::LayerScope(std::string_view name) {
  std::string path = scopes.empty() ? std::string() : *scopes.back() + ".";
  scopes.push_back(std::make_shared<const std::string>(path.append(name)));
}

LayerScope::~LayerScope() { scopes.pop_back(); }

std::string LayerScope::path() { return scopes.empty() ? std::string() : *scopes.back(); }

std::shared_ptr<const std::string> LayerScope::shared_path() { return scopes.empty() ? nullptr : scopes.back(); }

}  // namespace pellucid
