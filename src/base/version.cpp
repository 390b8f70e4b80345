// The version, as the build states it.
#include "pellucid/version.h"

namespace pellucid {

const char* version() { return PELLUCID_VERSION; }

}  // namespace pellucid
