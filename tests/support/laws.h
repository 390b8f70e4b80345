// What the law tests are made of: cases for every record, arrays in every layout, references in long double.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ops/record.h"
#include "pellucid/array.h"
#include "pellucid/transform.h"

namespace pellucid::laws {

using Real = long double;

/// Values in row-major order; every element type fits into Real exactly.
struct Tensor {
  Shape shape;
  DType dtype = DType::kFloat64;
  std::vector<Real> values;
};

/// What an operation should give, and how far each element may be from it.
struct Expected {
  Tensor y;
  std::vector<Real> slack;  // absolute; empty: none
};

/// How an operand lies in memory. kEmpty and kScalar are shapes; cases that are not of one shape for all operands have
/// cases of their own for them.
enum class Layout { kContiguous, kTransposed, kBroadcast, kEmpty, kScalar };
inline constexpr Layout kLayouts[] = {Layout::kContiguous, Layout::kTransposed, Layout::kBroadcast, Layout::kEmpty,
                                      Layout::kScalar};
const char* name_of(Layout layout);

enum class Role { kData, kIndex, kMask, kKey };
struct Operand {
  Shape shape;
  Role role = Role::kData;
  double low = 0, high = 0;  // data: equal for the record's domain; indices: low to high - 1
  bool sorted = false;
};

struct Case {
  std::string record;  // its name; for composed functions the function's
  std::string label;
  std::vector<Operand> operands;
  Function make;
  std::function<std::vector<Expected>(const std::vector<Tensor>&)> reference;
  std::vector<DType> dtypes = {};       // of the data operands; empty: the record's
  Layout covers = Layout::kContiguous;  // kEmpty or kScalar: this is the record's case for that
  bool composed = false;                // a public function that has no record
  bool differentiable = true;           // of composed functions
  bool any_shape = false;               // operands of one shape, whatever it is: the empty and the scalar case too
  bool large = false;                   // for threads: too large for the rest
  double rounding = 0x1p-53;            // of the operation in float64: more where it goes through a narrower type
  std::function<bool(const std::vector<Tensor>&)> usable = {};  // of operands for derivatives: away from kinks
};

/// Every case of every record, and the ones for long arrays. Records that have no case are missing.
const std::vector<Case>& cases();
void add_map_cases(std::vector<Case>& list);
void add_data_cases(std::vector<Case>& list);
void add_index_cases(std::vector<Case>& list);
void add_rule_cases(std::vector<Case>& list);
void add_composed_cases(std::vector<Case>& list);
void add_composed_movement_cases(std::vector<Case>& list);
void add_convolve_cases(std::vector<Case>& list);
void add_attention_cases(std::vector<Case>& list);
void add_waves_cases(std::vector<Case>& list);
void add_window_cases(std::vector<Case>& list);

/// Composed functions are given one with nothing in it but defaults.
const ops::Record& record_of(const Case& c);
/// The types that the case runs with.
std::vector<DType> types_of(const Case& c);

/// Operands of a case: values on a random lattice, so that no two are close and none is close to a half number.
std::vector<Tensor> draw_operands(const Case& c, DType dtype, Layout layout, std::uint64_t seed);
/// Small whole numbers, many of them equal: where derivatives have kinks.
std::vector<Tensor> draw_ties(const Case& c, DType dtype, std::uint64_t seed);
/// The array of these values in a layout; `which` varies the axis that is repeated.
Array to_array(const Tensor& x, Layout layout = Layout::kContiguous, std::size_t which = 0);
Arrays to_arrays(const std::vector<Tensor>& x, Layout layout = Layout::kContiguous);
Tensor to_tensor(const Array& x);

/// Nothing, or what differs.
std::string compare(const Expected& expected, const Array& got);

/// x rounded to the type, or wrapped around.
Real rounded(Real x, DType dtype);
/// Half the distance from 1 to the next number: 2^-24 for float32.
Real unit_of(DType dtype);
std::int64_t count_of(const Shape& shape);
/// Calls f with the position along each axis, in row-major order.
void for_each_position(const Shape& shape, const std::function<void(const Shape& at)>& f);
std::size_t flat(const Shape& shape, const Shape& at);

/// Makes a node of the record of that name.
Function node_of(const std::string& record, const Attributes& attributes = {});
/// A reference: every element comes from one place of operand 0, or is zero. `from` gives the position, or false.
std::function<std::vector<Expected>(const std::vector<Tensor>&)> moved(
    const Shape& shape, const std::function<bool(const Shape& at, Shape& from)>& from);
bool has_zero(const Shape& shape);
/// What a case with these shapes stands for.
Layout covers(const Shape& in, const Shape& out);

/// A 64-bit digest of results, the same for all NaN.
std::uint64_t digest(const Arrays& results, std::uint64_t start);

}  // namespace pellucid::laws
