// The table of elementwise kernels, filled once for the processor's instruction set.
#include "kernels/cpu/map.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

MapTable make_table(Isa isa) {
  MapTable table;
  fill_arithmetic(table, isa);
  fill_integers(table, isa);
  fill_casts(table, isa);
  fill_exponential(table, isa);
  fill_trigonometric(table, isa);
  fill_special(table, isa);
  return table;
}

}  // namespace

const MapTable& map_table() {
  static const MapTable table = make_table(isa());
  return table;
}

}  // namespace pellucid::kernels
