// Random programs: functions of arrays that are the same for the same seed, whatever their arguments' values are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pellucid/array.h"

namespace pellucid::laws {

/// What a program may be made of, and how large its arrays are.
struct ProgramOptions {
  std::uint64_t seed = 0;
  int steps = 12;
  DType dtype = DType::kFloat32;
  bool large = false;   // arrays that are cut into tiles and pieces, else of a few elements
  bool smooth = false;  // only what has two derivatives everywhere
  bool eager = false;   // every value is computed as soon as it is made, so that nothing is fused
  bool mapped = false;  // only what vmap takes
};

/// Arguments for the program: 2 to 4 arrays of random shapes, values in [-1, 1].
Arrays program_arguments(const ProgramOptions& options);

/// Runs the program: as many results as asked for, drawn from all that it makes. Only the arguments' shapes and types
/// choose what it does. Where `text` is given, each step is written to it.
Arrays run_program(const ProgramOptions& options, const Arrays& arguments, std::size_t results,
                   std::string* text = nullptr);

/// New values for the arguments, of their shapes and types, then `extras` more results: a step of training.
Arrays run_step(const ProgramOptions& options, const Arrays& arguments, std::size_t extras);

/// True where both have one shape, type and the same bits; NaN equals NaN.
bool same_bits(const Array& a, const Array& b);
/// The first place where they differ, for messages.
std::string difference(const Array& a, const Array& b);

}  // namespace pellucid::laws
