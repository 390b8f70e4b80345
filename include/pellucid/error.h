// The one exception that the library throws.
#pragma once

#include <stdexcept>
#include <string>

namespace pellucid {

/// What went wrong, in one line that names the operation, the shapes and types, the layer's path where there is one, and
/// what would be right: `matmul: [32, 784] x [256, 128]: inner sizes 784 and 256 differ (layer 'encoder.1')`.
///
/// Thrown where the user's line stands. Nothing that the call was given has been changed.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace pellucid
