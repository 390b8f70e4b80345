// What the kernels offer to the layers above: functions over pointers, sizes and strides, chosen once for the
// processor. Kernels check nothing but asserts, allocate nothing while they run, and give the same bits on every vector
// width. They write what is theirs alone, and may read 64 bytes behind the last element of an operand (array/node.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pellucid/dtype.h"

namespace pellucid::kernels {

// ---- Which instruction set ------------------------------------------------------------------------------------------

enum class Isa { kAvx2, kAvx512, kNeon };

/// The widest instruction set that the processor has, or the one that PELLUCID_ISA names (avx2, avx512). Decided once.
/// Throws Error where PELLUCID_ISA names one that the processor lacks or that does not exist, and where it has none.
Isa isa();
const char* name_of(Isa isa);

/// True where instructions that fetch lines ahead of a stream gain time. Zen 4 follows streams through memory better by
/// itself, and loses a quarter of its bandwidth by being told (docs/kernels.md).
bool fetches_ahead();

/// A kernel of one signature for each element type; null where the operation has none for that type.
template <class Function>
struct ByDType {
  std::array<Function, kDTypes> of{};
  Function operator[](DType dtype) const { return of[static_cast<std::size_t>(dtype)]; }
  Function& operator[](DType dtype) { return of[static_cast<std::size_t>(dtype)]; }
};

// ---- Elementwise ----------------------------------------------------------------------------------------------------

/// y[i] = f(a[i], b[i], c[i]) for i < n, all contiguous, unaligned pointers allowed; b and c are ignored where f takes
/// fewer operands. y may be the same pointer as an operand of the same element size. n may be 0, and is often below 16:
/// the call must cost a few nanoseconds then.
using Map = void (*)(void* y, const void* a, const void* b, const void* c, std::size_t n);
using Maps = ByDType<Map>;

/// The element type in brackets is that of the operands; predicates and logic give bool (one byte, 0 or 1).
/// "float" means float32 and float64 (bfloat16 is computed in float32 by casts around); "number" float, int32, int64,
/// uint8; "any" number and bool.
struct MapTable {
  // Unary.
  Maps negative, absolute, sign;                                     // number
  Maps floor, ceil, trunc, round;                                    // float (round: half to even)
  Maps sqrt, rsqrt, reciprocal, square;                              // float (square: number)
  Maps exp, exp2, expm1, log, log2, log10, log1p;                    // float
  Maps sin, cos, tan, asin, acos, atan;                              // float
  Maps sinh, cosh, tanh, asinh, acosh, atanh;                        // float
  Maps erf, erfc, erfinv, lgamma, digamma;                           // float
  Maps sigmoid, softplus, log_sigmoid, silu, mish, gelu, gelu_tanh;  // float; gelu is the exact one, x Phi(x)
  Maps relu;                                                         // number
  Maps isnan, isinf, isfinite;                                       // float -> bool
  Maps round_bfloat16;                                               // float: to the nearest bfloat16, ties to even
  Maps logical_not;                                                  // bool
  Maps bitwise_invert;                                               // int32, int64, uint8
  // Binary.
  Maps add, subtract, multiply, maximum, minimum;  // number (maximum, minimum: NaN wins; any)
  Maps divide, power, atan2, hypot, logaddexp;     // float (power: int32, int64, uint8 too, exponent >= 0)
  Maps copysign, nextafter;                        // float
  Maps floor_divide, remainder;                    // number; sign of the divisor, as Python; integer x / 0 is 0
  Maps equal, not_equal, less, less_equal, greater, greater_equal;  // any -> bool
  Maps logical_and, logical_or, logical_xor;                        // bool
  Maps bitwise_and, bitwise_or, bitwise_xor;                        // int32, int64, uint8, bool
  Maps left_shift, right_shift, right_shift_logical;                // int32, int64, uint8
  Maps relu_gate;  // number: y = b > 0 ? a : 0 (the backward of relu, b its output or input)
  // Ternary.
  Maps select;  // by the type of b and c: y = a ? b : c, a is bool; every type, bfloat16 too
  Maps fma;     // float: a * b + c with one rounding
  // cast[to][from]: all pairs. float -> integer truncates and saturates, NaN becomes 0; anything -> bool is x != 0.
  std::array<Maps, kDTypes> cast;
};
const MapTable& map_table();

// ---- Reductions -----------------------------------------------------------------------------------------------------
//
// The order of a reduction is fixed by its length alone. Along a row: blocks of kReduceBlock elements; inside a block,
// element i goes to virtual lane i mod 16; a lane adds 8 consecutive of its elements one after the other from the
// first, and these partial sums are added pairwise in a binary-counter tree; blocks are merged, lane by lane, in a
// binary-counter tree too; last the 16 lanes by halves (0+8, ..., then 0+4, ...). Down a column: groups of 8 rows one
// after the other from the first, groups merged in a binary-counter tree. (Binary-counter tree: partial 0 with 1, 2
// with 3, then those two, ...; what is left at the end is merged from the latest, smallest one towards the earliest:
// ((big + mid) + small) is computed as big + (mid + small).) The earlier operand always stands first.
//
// A lane without elements holds the identity, which leaves every x as it is, bit for bit: -0 for float sums, 1 for
// products, for max and min the value that every other one beats. So one element alone is its own reduction. The
// reduction of no elements at all is 0 for sums (not -0), else the identity. Greatest and least of floats: NaN wins, -0
// is less than 0 (IEEE 754-2019 maximum and minimum), so they do not depend on the order. The bits of a NaN are not
// promised.

inline constexpr std::size_t kReduceBlock = 1024;
inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kColumnGroup = 8;

/// y[r] = reduction of x[r * cols + 0 .. cols) for r < rows. Any cols, 0 included (the identity).
using ReduceRows = void (*)(void* y, const void* x, std::size_t rows, std::size_t cols);
/// lanes[0 .. 16) = the lanes of one block of n contiguous elements, 1 <= n <= kReduceBlock.
using ReduceLanes = void (*)(void* lanes, const void* x, std::size_t n);
/// y[0] = the 16 lanes merged by halves.
using ReduceFinish = void (*)(void* y, const void* lanes);
/// y[c] = x[0 * stride + c] op ... op x[(rows - 1) * stride + c] for c < cols, in row order, 1 <= rows <= kColumnGroup.
using ReduceColumns = void (*)(void* y, const void* x, std::size_t rows, std::size_t cols, std::size_t stride);
/// y[c] = the same for any number of rows (0 gives the identity), in the fixed order above, computed on one thread.
using ReduceAllColumns = void (*)(void* y, const void* x, std::size_t rows, std::size_t cols, std::size_t stride);

struct Reduction {
  ByDType<ReduceRows> rows;
  ByDType<ReduceLanes> lanes;
  ByDType<ReduceFinish> finish;
  ByDType<ReduceColumns> columns;
  ByDType<ReduceAllColumns> all_columns;
  Maps merge;  // merges two partials elementwise, the earlier one first: add, multiply, maximum, minimum
};

struct ReduceTable {
  Reduction sum, prod, max, min;       // number (max, min: any; NaN wins; identity: lowest, highest; floats: -inf, inf)
  ByDType<ReduceRows> argmax, argmin;  // any; y is int64; the first of equals; the first NaN wins; cols >= 1
};
const ReduceTable& reduce_table();

// ---- Copies ---------------------------------------------------------------------------------------------------------
// `size` is the size of an element in bytes (1, 2, 4, 8); strides count elements, and may be 0 or negative.

/// dst[sum(i_d * dst_strides[d])] = src[sum(i_d * src_strides[d])] over the whole shape. Any rank up to 16. One thread.
/// dst and src do not overlap, and no two elements go to one place.
void copy_strided(void* dst, const std::int64_t* dst_strides, const void* src, const std::int64_t* src_strides,
                  const std::int64_t* shape, int rank, std::size_t size);
/// The same, cut into pieces over the thread pool when it is large.
void copy_strided_parallel(void* dst, const std::int64_t* dst_strides, const void* src, const std::int64_t* src_strides,
                           const std::int64_t* shape, int rank, std::size_t size);
/// y[i] = the element first + i, counted in row-major order, of an array of this shape and these strides. Any rank up
/// to 16, sizes above 0. One thread.
void copy_range(void* y, const void* x, const std::int64_t* shape, const std::int64_t* strides, int rank,
                std::int64_t first, std::int64_t count, std::size_t size);
/// y[0 .. n) = value.
void fill(void* y, const void* value, std::size_t n, std::size_t size);
/// y[r * cols + c] = x[r * stride]: each of `rows` scalars repeated along its row.
void expand_rows(void* y, const void* x, std::size_t rows, std::size_t cols, std::int64_t stride, std::size_t size);
/// y[r * cols + c] = x[c]: one contiguous row repeated.
void expand_columns(void* y, const void* x, std::size_t rows, std::size_t cols, std::size_t size);

// ---- Indexing, order, cumulation ------------------------------------------------------------------------------------
// All operands contiguous. Indices are int64; -n <= index < n, negative ones count from the end. A function that reads
// indices returns the position of the first one that is out of range, having written nothing it should not, or -1.
// They use the thread pool when the work is large; results do not depend on it.

/// y[o, i, s] = x[o, index[i], s] for x (outer, n, inner), y (outer, count, inner).
std::int64_t take(void* y, const void* x, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                  std::int64_t inner, std::int64_t count, std::size_t size);
/// y[o, index[i], s] += updates[o, i, s], i ascending. y (outer, n, inner) holds the start values. Number types.
std::int64_t scatter_add(void* y, const void* updates, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                         std::int64_t inner, std::int64_t count, DType dtype);
/// y[o, i, s] = x[o, index[o, i, s], s] for x (outer, n, inner), index and y (outer, count, inner).
std::int64_t take_along(void* y, const void* x, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                        std::int64_t inner, std::int64_t count, std::size_t size);
/// y[o, index[o, i, s], s] += updates[o, i, s], i ascending.
std::int64_t scatter_add_along(void* y, const void* updates, const std::int64_t* index, std::int64_t outer,
                               std::int64_t n, std::int64_t inner, std::int64_t count, DType dtype);

/// y[r, :] = the stable order of x[r, :] (rows x cols), ascending or descending, NaN last; 0 and -0 are equal. Any
/// type, cols < 2^32. Sorts in y, without other memory.
void argsort_rows(std::int64_t* y, const void* x, std::int64_t rows, std::int64_t cols, bool descending, DType dtype);
/// y[j] = the first i with value[j] <= sorted[i] (right: value[j] < sorted[i]), in 0..n. Any type; NaN sorts last.
void searchsorted(std::int64_t* y, const void* sorted, std::int64_t n, const void* values, std::int64_t count,
                  bool right, DType dtype);

enum class Cumulation { kSum, kProd, kMax, kMin };
/// y[o, i, s] = x[o, 0, s] op ... op x[o, i, s], in order. Number types. y may be x.
void cumulate(void* y, const void* x, std::int64_t outer, std::int64_t n, std::int64_t inner, Cumulation kind,
              DType dtype);

// ---- Random ---------------------------------------------------------------------------------------------------------

/// y[i] = the word i % 4 of Philox4x32-10 with the key's seed and the counter (i / 4, stream), for first <= i < first +
/// n (y points at element `first`). A key is two int64: seed, stream.
void random_bits(std::int32_t* y, const std::int64_t* key, std::uint64_t first, std::size_t n);
/// folded = a new key with the same seed, whose stream is the words 0 and 1 (low word first) of Philox4x32-10 under the
/// key seed ^ 0x5851F42D4C957F2D with the counter (data, stream). The other seed keeps streams' names apart from the
/// bits of random_bits(). folded may be key.
void random_fold(std::int64_t* folded, const std::int64_t* key, std::int64_t data);

// ---- Contraction ----------------------------------------------------------------------------------------------------

/// c[b](i, j) = act(sum over p of a[b](i, p) * b[b](p, j) + bias(j)).
///
/// One accumulator for each output: p ascending, fused multiply-adds from 0, in chunks of kContractChunk whose sums are
/// added in order; so the bits depend on nothing but the operands. float32, float64; bfloat16 operands accumulate in
/// float32 and are rounded once (c float32 or bfloat16); int32 and int64 wrap.
struct ContractShape {
  DType dtype = DType::kFloat32;  // of a and b
  DType out = DType::kFloat32;    // of c and bias
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_m = 0, a_k = 0;  // strides in elements; any, 0 and negative included
  std::int64_t b_k = 0, b_n = 0;
  std::int64_t c_m = 0;                                 // the row stride of c, >= n; c's columns are contiguous
  std::vector<std::int64_t> batch;                      // batch sizes, outermost first
  std::vector<std::int64_t> a_batch, b_batch, c_batch;  // strides for each of them (0: broadcast)
  bool bias = false;                                    // a contiguous row of n
  bool relu = false;                                    // act is relu, else the identity
  bool a_narrow = false, b_narrow = false;              // for bf16_contract: stored as bfloat16, and dtype is float32
};

inline constexpr std::int64_t kContractChunk = 1024;

/// Called when rows [row0, row1) x columns [col0, col1) of batch element `batch` are final and still in cache, possibly
/// on a pool thread; the rectangles and their number do not depend on the thread count.
struct ContractDone {
  void (*call)(void* context, std::int64_t batch, std::int64_t row0, std::int64_t row1, std::int64_t col0,
               std::int64_t col1) = nullptr;
  void* context = nullptr;
};

/// An operand that stays the same over many runs, as weights do in a loop.
enum class ContractSteady { kNone, kA, kB };

/// A contraction of one shape, prepared once (kernel chosen, blocks cut) and run many times without allocating.
class Contract {
 public:
  Contract() = default;
  explicit Contract(const ContractShape& shape, ContractSteady steady = ContractSteady::kNone);
  /// Bytes, 64-byte aligned, of the steady operand's copy in the order in which tiles read it. Where it is not 0,
  /// pack() makes the copy, and run() is given the copy in place of the operand. The bits are those without it.
  std::size_t packed() const { return packed_; }
  void pack(void* to, const void* operand) const { pack_(*this, to, operand); }
  /// Bytes of scratch memory that run() needs, 64-byte aligned; 0 for small ones. May grow with the thread count, which
  /// is fixed by set_threads before.
  std::size_t workspace() const { return workspace_; }
  void run(void* c, const void* a, const void* b, const void* bias, void* workspace,
           const ContractDone& done = {}) const {
    run_(*this, c, a, b, bias, workspace, done);
  }
  const ContractShape& shape() const { return shape_; }

 private:
  friend struct ContractAccess;
  using Run = void (*)(const Contract&, void*, const void*, const void*, const void*, void*, const ContractDone&);
  using Pack = void (*)(const Contract&, void*, const void*);
  ContractShape shape_;
  Run run_ = nullptr;
  std::size_t workspace_ = 0;
  std::array<std::int64_t, 12> plan_{};  // block sizes and flags, meant for the kernel alone
  Pack pack_ = nullptr;
  std::size_t packed_ = 0;
  ContractSteady steady_ = ContractSteady::kNone;
};

}  // namespace pellucid::kernels
