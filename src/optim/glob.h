// Patterns over parameter names.
#pragma once

#include <string_view>

namespace pellucid::optim {

/// True where the whole of `name` matches `pattern`: * any characters, ? one, [abc], [a-z], [!a-z] one of (none of) a
/// set. The pattern has passed check_glob.
bool glob(std::string_view pattern, std::string_view name);

/// Throws Error where a [ is not closed.
void check_glob(std::string_view pattern);

}  // namespace pellucid::optim
