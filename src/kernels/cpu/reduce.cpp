// The table of reductions, put together once.
#include "kernels/cpu/reduce.h"

namespace pellucid::kernels {

const ReduceTable& reduce_table() {
  static const ReduceTable table = [] {
    ReduceTable filled;
    fill_reduce_rows(filled);
    fill_reduce_columns(filled);
    fill_reduce_arguments(filled);
    return filled;
  }();
  return table;
}

}  // namespace pellucid::kernels
