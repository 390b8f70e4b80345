// The parts of the table of elementwise kernels; each file of kernels fills its own for the instruction set it is
// given.
#pragma once

#include "kernels/cpu/dispatch.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {

void fill_arithmetic(MapTable& table, Isa isa);  // + - * /, order, signs, rounding, bits, select
void fill_integers(MapTable& table, Isa isa);    // integer division, powers and shifts; copysign, nextafter
void fill_casts(MapTable& table, Isa isa);
void fill_exponential(MapTable& table, Isa isa);  // exp, log, hyperbolic functions, activations
void fill_trigonometric(MapTable& table, Isa isa);
void fill_special(MapTable& table, Isa isa);  // erf, gamma functions, power, hypot, remainder

}  // namespace pellucid::kernels
