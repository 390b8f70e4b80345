// The whole public interface.
#pragma once

#include "pellucid/array.h"           // IWYU pragma: export
#include "pellucid/assessment.h"      // IWYU pragma: export
#include "pellucid/augment.h"         // IWYU pragma: export
#include "pellucid/checks.h"          // IWYU pragma: export
#include "pellucid/data.h"            // IWYU pragma: export
#include "pellucid/dtype.h"           // IWYU pragma: export
#include "pellucid/error.h"           // IWYU pragma: export
#include "pellucid/init.h"            // IWYU pragma: export
#include "pellucid/io.h"              // IWYU pragma: export
#include "pellucid/loss.h"            // IWYU pragma: export
#include "pellucid/loss_picture.h"    // IWYU pragma: export
#include "pellucid/loss_sequence.h"   // IWYU pragma: export
#include "pellucid/metrics.h"         // IWYU pragma: export
#include "pellucid/network_gpt.h"     // IWYU pragma: export
#include "pellucid/network_tagger.h"  // IWYU pragma: export
#include "pellucid/networks.h"        // IWYU pragma: export
#include "pellucid/nn.h"              // IWYU pragma: export
#include "pellucid/nn_attention.h"    // IWYU pragma: export
#include "pellucid/nn_convolution.h"  // IWYU pragma: export
#include "pellucid/nn_picture.h"      // IWYU pragma: export
#include "pellucid/nn_sequence.h"     // IWYU pragma: export
#include "pellucid/nn_table.h"        // IWYU pragma: export
#include "pellucid/ops.h"             // IWYU pragma: export
#include "pellucid/ops_attention.h"   // IWYU pragma: export
#include "pellucid/ops_pool.h"        // IWYU pragma: export
#include "pellucid/ops_window.h"      // IWYU pragma: export
#include "pellucid/optim.h"           // IWYU pragma: export
#include "pellucid/precision.h"       // IWYU pragma: export
#include "pellucid/random.h"          // IWYU pragma: export
#include "pellucid/tabular.h"         // IWYU pragma: export
#include "pellucid/threads.h"         // IWYU pragma: export
#include "pellucid/train.h"           // IWYU pragma: export
#include "pellucid/transform.h"       // IWYU pragma: export
#include "pellucid/version.h"         // IWYU pragma: export
