// The one exception that the library throws.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pellucid {

/// What went wrong, in one line that names the operation, the shapes and types, the layer's path where there is one,
/// and what would be right: `matmul: [32, 784] x [256, 128]: inner sizes 784 and 256 differ (layer 'encoder.1')`.
///
/// Thrown where the user's line stands. Nothing that the call was given has been changed.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// While one exists, operations on this thread belong to the layer of this name, inside the layers of the scopes around
/// it: their messages and plans name the path ("encoder.1").
class LayerScope {
 public:
  explicit LayerScope(std::string_view name);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;
  /// The names of the scopes of this thread joined by dots; empty outside.
  static std::string path();
  /// The same as a text that many nodes share; null outside.
  static std::shared_ptr<const std::string> shared_path();
};

}  // namespace pellucid
