// The record of a primitive: everything that is known of it, in one place.
//
// A record is a value, defined next to the public function that makes its nodes:
//
//     const Record& kExp = define(unary("exp", "e to the power x", &MapTable::exp, {-90, 90},
//                                       [](const Arrays& x, const Array& y) { return y; }));
//     Array exp(const Array& x) { return map_float(kExp, {x}); }
//
// The graph, the transforms, the reference page and the law tests iterate over records and know no operation by name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "array/node.h"
#include "base/fail.h"
#include "kernels/kernels.h"
#include "pellucid/array.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

enum class Kind {
  kConstant,     // holds a value
  kPlaceholder,  // will be given a value when a plan runs
  kMap,          // elementwise: operands and result of one shape
  kView,         // the operand's elements, in place where its layout allows
  kReduce,       // along the trailing or the leading axes
  kContract,     // matrix products
  kOpaque,       // a kernel of its own, over contiguous operands
  kCall,         // a traced function with rules of its own: put in its place when a graph is built
};

/// A step's work, prepared once: pointers to contiguous outputs (null where nobody reads them) and inputs.
using Kernel = std::function<void(void* const* outputs, const void* const* inputs)>;

/// What an opaque kernel is prepared for.
struct Signature {
  const Attributes& attributes;
  std::vector<Shape> inputs, outputs;
  std::vector<DType> input_types, output_types;
  // Of records with `epilogue`: the last input is a row to add along the result's last axis; then relu.
  bool bias = false, relu = false;
  std::vector<Strides> input_strides = {};  // of records with `any_layout`; those of others are contiguous
};

struct VjpCall {
  const Node& node;
  const Arrays& inputs;
  const Arrays& outputs;
  const Arrays& cotangents;         // one for each output; undefined where nothing flows back
  const std::vector<bool>& needed;  // which inputs' cotangents are asked for
};
struct JvpCall {
  const Node& node;
  const Arrays& inputs;
  const Arrays& outputs;
  const Arrays& tangents;  // one for each input; undefined for zero
};
struct BatchCall {
  const Node& node;
  const Arrays& inputs;              // with a leading batch axis where batched
  const std::vector<bool>& batched;  // at least one is
  std::int64_t size;                 // of the batch axis
};

/// The derivative of a map's result by one operand, elementwise; a weak scalar 1 or -1 stands for itself.
using Partial = Array (*)(const Arrays& x, const Array& y);

struct Record {
  std::string_view name;
  std::string_view summary;  // one line: what it computes
  std::string_view shapes;   // in letters: "(..., m, k), (..., k, n) -> (..., m, n)"
  Kind kind = Kind::kOpaque;
  int arity = 1;               // operands; -1: any number
  bool differentiable = true;  // the page's column; false: no derivative flows through it
  std::uint32_t linear = 0;    // bit i: linear in operand i (tangents go through the same operation)
  std::uint32_t rounded = 0;   // bit i: in bfloat16 precision, operand i in float32 is rounded (precision.cpp)

  /// Works out the outputs' shapes and types; throws Error where the operands do not fit.
  void (*infer)(const Record& record, const Arrays& inputs, const Attributes& attributes,
                std::vector<Output>& outputs) = nullptr;
  /// Cotangents of the inputs, undefined where there is none. Null: made from `partials`, or none flows.
  Arrays (*vjp)(const VjpCall& call) = nullptr;
  /// Tangents of the outputs. Null: made from `partials` or `linear`, or zero.
  Arrays (*jvp)(const JvpCall& call) = nullptr;
  /// Outputs with a leading batch axis. Null for maps: operands without the axis are broadcast.
  Arrays (*batch)(const BatchCall& call) = nullptr;
  std::array<Partial, 3> partials{};  // of maps

  // Which of these is set follows from `kind`.
  kernels::Map (*map)(DType in, DType out) = nullptr;
  kernels::Reduction kernels::ReduceTable::*reduction = nullptr;
  /// Fills `result.strides` and `offset` for the given result shape; false where the elements must be copied first.
  bool (*view)(const Layout& in, const Attributes& attributes, Layout& result) = nullptr;
  Kernel (*prepare)(const Signature& signature) = nullptr;
  /// Bytes of scratch memory that the prepared kernel needs for a run, and finds behind its last output. Null: none.
  std::size_t (*workspace)(const Signature& signature) = nullptr;
  /// True where the kernel itself rounds the operands that `rounded` names, so that rounding them before changes no
  /// bit. Null: it never does.
  bool (*rounds)(const Signature& signature) = nullptr;
  bool any_layout = false;  // the kernel takes operands where they lie
  bool epilogue = false;    // the kernel adds a row and applies relu where the pass `epilogue` tells it to

  // What the tests and the reference page use.
  std::vector<DType> dtypes{};             // of the first data operand; empty: all
  std::array<double, 2> domain = {-3, 3};  // operands of value and gradient tests are drawn from it
  double ulp = 2;                          // the bound in float32
};

/// Registers a record; it lives as long as the program.
const Record& define(Record record);
/// Every record, by name.
const std::vector<const Record*>& all_records();
const Record* find_record(std::string_view name);

const Record& constant_record();
const Record& placeholder_record();
const Record& alias_record();    // x itself, under a node of its own: what a transform differentiates by
const Record& barrier_record();  // (x, after): x, for recomputation that must not be merged with the first computation

/// A node of `record`; its outputs' shapes and types are worked out and checked.
Arrays make_all(const Record& record, Arrays inputs, Attributes attributes = {});
/// The same for records of one output.
Array make(const Record& record, Arrays inputs, Attributes attributes = {});
/// A node of the same record and attributes over other inputs; the node's own outputs' number.
Arrays remake(const Node& node, Arrays inputs);

/// An array without a value, for tracing.
Array placeholder(const Shape& shape, DType dtype);

// ---- The rules, with the defaults of the categories filled in (rules.cpp) -------------------------------------------

Arrays apply_vjp(const VjpCall& call);
Arrays apply_jvp(const JvpCall& call);
Arrays apply_batch(const BatchCall& call);
/// True where a derivative may flow from operand i to the result.
bool flows(const Node& node, std::size_t i);

// ---- Help for definitions -------------------------------------------------------------------------------------------

/// Throws Error "name: text (layer 'path')".
[[noreturn]] void fail_in_layer(std::string_view name, const std::string& text);
template <class... Args>
[[noreturn]] void fail(std::string_view name, std::string_view format, const Args&... args) {
  fail_in_layer(name, base::format(format, args...));
}

/// The kernel lookup of a map, from a member of the table of maps.
template <kernels::Maps kernels::MapTable::*Member>
kernels::Map map_of(DType in, DType) {
  return (kernels::map_table().*Member)[in];
}

void infer_map(const Record&, const Arrays&, const Attributes&, std::vector<Output>&);        // the operands' type
void infer_predicate(const Record&, const Arrays&, const Attributes&, std::vector<Output>&);  // bool
void infer_same(const Record&, const Arrays&, const Attributes&, std::vector<Output>&);       // the first operand's

/// Operands promoted to one type, and broadcast to one shape.
Arrays promoted(std::string_view name, const Arrays& operands);
Arrays broadcast_together(std::string_view name, const Arrays& operands);
/// A map over promoted and broadcast operands; bfloat16 is computed in float32 and rounded once.
Array map(const Record& record, const Arrays& operands);
/// The same with integer and bool operands converted to float32.
Array map_float(const Record& record, const Arrays& operands);

/// An axis in [0, rank); throws Error for others.
std::size_t checked_axis(std::string_view name, int axis, const Shape& shape);
/// Sorted axes without repetition; throws for others.
std::vector<std::size_t> checked_axes(std::string_view name, const std::vector<int>& axes, const Shape& shape);
/// g * p, where p may be a weak 1 or -1.
Array scaled(const Array& g, const Array& p);
/// a + b where either may be undefined.
Array sum_of(const Array& a, const Array& b);
/// x with axis `from` moved to `to`.
Array move_axis(const Array& x, std::size_t from, std::size_t to);
/// x with a batch axis of the given size in front, by broadcasting.
Array with_batch(const Array& x, std::int64_t size);
/// y > 0 ? x : 0 for operands of one shape and type.
Array relu_gate(const Array& x, const Array& y);
/// The bits of x moved right by y, zeros filled in.
Array right_shift_logical(const Array& x, const Array& y);
/// Zeros of `shape`, with x at the positions start, start + step, ... along every axis.
Array placed(const Array& x, const Shape& start, const Shape& step, const Shape& shape);
/// Any (or all) of x, as bool.
Array reduce_bool(std::string_view name, const Array& x, const Axes& axes, bool keepdims, bool any);
/// True for an evaluated scalar, weak or constant, equal to the value.
bool is_scalar_constant(const Array& x, double value);

}  // namespace pellucid::ops
