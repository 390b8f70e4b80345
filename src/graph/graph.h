// A computation as a flat list of instructions over numbered values, and the passes that rewrite it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "array/node.h"
#include "ops/record.h"

namespace pellucid::graph {

using ValueId = std::int32_t;

/// A value is an input, a constant, or output `output` of instruction `producer`.
struct Value {
  Shape shape;
  DType dtype = DType::kFloat32;
  std::int32_t producer = -1;
  std::uint32_t output = 0;
  std::int32_t input = -1;  // which graph input, or -1
  StoragePtr constant;      // with strides (empty: row-major) and offset
  Strides strides;
  std::int64_t offset = 0;
  bool is_constant() const { return constant != nullptr; }
  std::int64_t count() const { return count_of(shape); }
  std::size_t bytes() const { return static_cast<std::size_t>(count()) * size_of(dtype); }
};

struct Instruction {
  const ops::Record* record = nullptr;
  Attributes attributes;
  std::vector<ValueId> inputs, outputs;
  std::shared_ptr<const std::string> layer;
  // Set by the epilogue pass on contractions: inputs[2] is a row added to every row of the result, then relu.
  bool bias = false, relu = false;
};

/// Instructions stand in an order in which operands come before their users.
struct Graph {
  std::vector<Value> values;
  std::vector<Instruction> instructions;
  std::vector<ValueId> inputs, outputs;

  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  ValueId add(Value value);
  /// Users of each value: instruction indices, ascending, with repetition; graph outputs are not counted.
  std::vector<std::vector<std::int32_t>> users() const;
};

/// The graph behind `outputs`, with `inputs` (placeholders) as its inputs. Nodes with a value become constants.
/// Throws Error where the outputs rest on a placeholder that is not among the inputs: its value is not known here.
Graph build(const Arrays& outputs, const Arrays& inputs);

/// Throws std::logic_error where the graph breaks a rule (operand order, shapes as inferred, types).
void verify(const Graph& graph, const char* pass);

/// One line for each instruction.
std::string to_text(const Graph& graph);

// ---- Passes ---------------------------------------------------------------------------------------------------------

/// How long a pass took, for explain_plan.
struct PassTime {
  const char* name;
  double microseconds;
};
/// Runs the pass and writes down its time.
template <class F>
void time_pass(std::vector<PassTime>& times, const char* name, const F& pass) {
  const auto start = std::chrono::steady_clock::now();
  pass();
  times.push_back({name, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count()});
}

void simplify(Graph& graph);      // identities that change no bits
void fold(Graph& graph);          // small results of constants alone
void cse(Graph& graph);           // equal instructions merged
void merge_scans(Graph& graph);   // a loop that saves more stands for the one that saves less
void narrow(Graph& graph);        // what rounds its operands itself reads them unrounded
void store_narrow(Graph& graph);  // what only such contractions read is stored in bfloat16
void dce(Graph& graph);           // instructions without influence dropped
void epilogue(Graph& graph);      // bias and relu into the contraction before them

/// Tells values by which instruction they are made, after instructions have moved.
void renumber(Graph& graph);

/// True for a contraction whose kernel rounds to bfloat16 as it packs: rounding before it changes no bit, and operands
/// may be stored in bfloat16.
bool rounds_operands(const Graph& graph, const Instruction& instruction);

/// What PELLUCID_DISABLE can name: passes over the graph, then those of the plan.
inline constexpr std::string_view kPassNames[] = {"simplify", "fold",     "cse",  "scans", "narrow", "store_narrow",
                                                  "dce",      "epilogue", "fuse", "chain", "place",  "batch"};
/// True where PELLUCID_DISABLE does not name the pass.
bool pass_enabled(const char* name);
/// Runs the passes that rewrite the graph (fuse and place work on the plan). Verifies after each in debug builds.
/// Throws Error where PELLUCID_DISABLE names a pass that there is not.
std::vector<PassTime> optimise(Graph& graph);

}  // namespace pellucid::graph
