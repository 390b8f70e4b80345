// What the files of the reductions share: each fills its part of the table for the processor's instruction set.
#pragma once

#include "kernels/kernels.h"

namespace pellucid::kernels {

void fill_reduce_rows(ReduceTable& table);
void fill_reduce_columns(ReduceTable& table);
void fill_reduce_arguments(ReduceTable& table);

}  // namespace pellucid::kernels
