// How a contraction is cut into pieces, what is packed and which operand is read in vectors: by a model of the cost,
// from the shape alone.
#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/cpu/contract.h"

namespace pellucid::kernels {
namespace {

using Size = std::int64_t;

constexpr Size round_up(Size x, Size to) { return (x + to - 1) / to * to; }
constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }

// Cycles of one element (measured on Zen 3, float32), in which 16 multiply-adds are done.
constexpr double kCopyCost = 0.3;       // packed from contiguous memory
constexpr double kTransposeCost = 0.4;  // packed across, or finished across
constexpr double kStrayCost = 1.0;      // packed one by one
constexpr double kReadCost = 0.1;       // read by tiles where it lies
constexpr double kCollideCost = 0.5;    // the same where the steps fall into few sets of the caches

// Tiles one vector wide load as much as they multiply, from as many lines of s as they have rows.
constexpr double kNarrowCost = 1.25;

// What one thread's caches are taken to hold, in bytes, on every machine.
constexpr Size kL1 = 32 << 10;

// Bytes from one step to the next from which on a processor no longer fetches them ahead by itself.
constexpr Size kFarStep = 2048;

constexpr Size kLeastPiece = 512 << 10;  // multiply-adds: about 10 microseconds
constexpr Size kPanel = 128;             // bytes: two vectors of AVX-512; a tile one vector wide waits for loads
constexpr Size kMostPieceRows = 256, kMostPieceColumns = 512;
constexpr Size kMostShared = 32 << 20;  // bytes
constexpr double kLeastShared =
    256 << 20;  // multiply-adds: below, a pass before the tiles costs more than copies on their way

/// True where lines `stride` elements apart fall into few sets of a cache, or each into a page of its own.
bool collides(Size stride, Size element) {
  const Size bytes = std::abs(stride) * element;
  return bytes >= 1024 && (bytes % 1024 == 0 || bytes >= 8192);
}

/// One way to look at the contraction: which operand is v.
struct View {
  bool swap = false;
  Size rows = 0, columns = 0, k = 0;
  Size s_row = 0, s_k = 0, v_column = 0, v_k = 0;
  Size element = 4;  // bytes that a sum has
  bool convert = false;
  bool indirect = false;
  bool v_ready = false;     // packed once for many runs
  bool high_tiles = false;  // of more rows than a set of L1 has lines

  /// s along its rows is read well where it lies; across, each step is a line of its own: these may collide, and the
  /// tiles wait for them where they are far apart, since only a tile that packs asks for them ahead.
  bool packs_s() const {
    const Size step = std::abs(s_k) * element;
    const bool far = k < 256 ? step >= kFarStep : step % 512 == 0 || step >= 4 * kFarStep;
    return convert || thrashes() || (rows >= 4 && columns >= 64 && k >= 64 && s_k != 1 && far);
  }
  bool v_contiguous() const { return v_column == 1 || columns == 1; }
  /// Rows along k that lie a multiple of 4 KiB apart have each step's lines in one set of L1, of which it holds 8
  /// or 12. Beside fewer columns packing costs more than that.
  bool thrashes() const {
    return high_tiles && s_k == 1 && rows >= 64 && columns >= 1024 && k >= 1024 && s_row * element % 4096 == 0;
  }
  double v_pack_cost() const {
    return v_ready ? kReadCost : v_contiguous() ? kCopyCost : v_k == 1 ? kTransposeCost : kStrayCost;
  }
  /// Bytes from the first step of a chunk that v's tiles read to the last.
  Size v_span() const { return std::min<Size>(k, kContractChunk) * std::abs(v_k) * element; }
};

View view_of(const ContractShape& shape, const ContractWidths& widths, bool swap) {
  View v{.swap = swap,
         .rows = shape.m,
         .columns = shape.n,
         .k = shape.k,
         .s_row = shape.a_m,
         .s_k = shape.a_k,
         .v_column = shape.b_n,
         .v_k = shape.b_k};
  if (swap) {
    std::swap(v.rows, v.columns);
    std::swap(v.s_row, v.v_column);
    std::swap(v.s_k, v.v_k);
  }
  v.element = static_cast<Size>(size_of(contract_sums(shape.dtype)));
  v.high_tiles = widths.tile_rows > 8;
  v.convert = shape.dtype == DType::kBFloat16;
  const bool direct_column = shape.n == 1 && shape.c_m == 1 && !shape.bias;
  v.indirect = shape.out != contract_sums(shape.dtype) || (swap && !direct_column);
  return v;
}

/// Cycles of the whole contraction on one thread, for vectors of 64 bytes.
double cost(const View& v) {
  const Size lanes = 64 / v.element;
  const Size padded = v.columns <= lanes / 2 ? lanes / 2 : round_up(v.columns, lanes);
  const double k = static_cast<double>(v.k), columns = static_cast<double>(v.columns),
               rows = static_cast<double>(v.rows);
  double cycles = rows * k * static_cast<double>(padded) / static_cast<double>(lanes);
  if (v.columns <= lanes && v.rows > lanes / 2) cycles *= kNarrowCost;
  if (!v.v_contiguous() || v.rows >= 16) cycles += v.v_pack_cost() * k * columns;
  if (v.swap && v.indirect) cycles += 2 * kTransposeCost * rows * columns;
  if (v.packs_s()) {
    cycles += kTransposeCost * k * rows;
  } else if (v.s_k != 1 && collides(v.s_k, v.element)) {
    cycles += kCollideCost * k * rows;
  }
  return cycles;
}

void choose_packing(const View& v, ContractPlan& plan) {
  plan.v_ready = v.v_ready;
  plan.pack_v = !v.v_ready && (v.convert || !v.v_contiguous() || (plan.rows >= 16 && v.v_span() > kL1));
  plan.pack_s = v.packs_s();
}

/// The steady operand comes packed where it is v, is not small, and is the same for all of the batch.
View with_steady(View v, const ContractShape& shape, ContractSteady steady) {
  const bool is_v = steady == (v.swap ? ContractSteady::kA : ContractSteady::kB);
  const auto& strides = v.swap ? shape.a_batch : shape.b_batch;
  const bool shared = std::all_of(strides.begin(), strides.end(), [](Size stride) { return stride == 0; });
  v.v_ready = is_v && shared && (v.convert || !v.v_contiguous() || v.v_span() > kL1);
  return v;
}

/// Cuts rows and columns so that there are about `wanted` pieces, with the least work in packing and in the largest.
void cut(const View& v, Size wanted, bool small, bool packs_s, ContractPlan& plan) {
  if (small) {
    plan.rows = v.rows;
    plan.columns = v.columns;
    return;
  }
  const auto work = [&](Size rows, Size columns) {
    const double k = static_cast<double>(v.k), r = static_cast<double>(rows), c = static_cast<double>(columns);
    const double v_pack = rows >= 16 || v.v_ready || !v.v_contiguous() ? v.v_pack_cost() : 0;
    return k * (r * c / static_cast<double>(64 / v.element) + c * v_pack + r * (packs_s ? kTransposeCost : kReadCost));
  };
  const Size panel = kPanel / v.element;
  double best = -1;
  bool best_enough = false;
  for (Size column_cuts = 1; column_cuts <= std::max<Size>(1, v.columns / 32); ++column_cuts) {
    const Size columns = std::min(round_up(divide_up(v.columns, column_cuts), panel), kMostPieceColumns);
    const Size column_pieces = divide_up(v.columns, columns);
    const Size row_cuts = std::min(divide_up(wanted, column_pieces), std::max<Size>(1, v.rows / 12));
    const Size rows = std::min(divide_up(v.rows, row_cuts), kMostPieceRows);
    const Size row_pieces = divide_up(v.rows, rows);
    const Size pieces = row_pieces * column_pieces;
    // An odd number of pieces leaves one of two threads waiting; a smaller one at the end, less.
    const double piece = work(std::min(rows, v.rows), std::min(columns, v.columns));
    double total = static_cast<double>(pieces) * piece;
    if (pieces > 1 && wanted > 1) {
      const double last = row_pieces > 1 ? piece : work(rows, v.columns - (column_pieces - 1) * columns);
      const double one = static_cast<double>(pieces / 2) * piece, other = static_cast<double>((pieces - 1) / 2) * piece;
      total = 2 * std::max(one, other + last);
    }
    const bool enough = pieces >= wanted;
    if (best < 0 || enough > best_enough || (enough == best_enough && total < best)) {
      best = total;
      best_enough = enough;
      plan.rows = rows;
      plan.columns = columns;
    }
    if (column_cuts >= 64) break;
  }
  plan.row_pieces = divide_up(v.rows, plan.rows);
  plan.column_pieces = divide_up(v.columns, plan.columns);
}

}  // namespace

ContractSlot contract_slot(const ContractShape& shape, const ContractPlan& plan, const ContractWidths& widths) {
  const Size align = 64 / static_cast<Size>(size_of(contract_sums(shape.dtype)));
  const Size room = widths.lanes;
  ContractSlot slot;
  slot.sums_row = round_up(plan.columns, align);
  Size at = 0;
  const auto take = [&](bool needed, Size elements) {
    const Size begin = at;
    if (needed) at += round_up(elements + room, align);
    return begin;
  };
  const Size most_rows = std::max(round_up(widths.tile_rows, widths.lanes), round_up(widths.tile_rows1, widths.lanes));
  const Size tiles = divide_up(plan.rows, std::min(widths.tile_rows, widths.tile_rows1));
  const Size depth = std::min(shape.k, kContractChunk);
  const Size group =
      std::min(kContractGroupBytes / static_cast<Size>(size_of(contract_sums(shape.dtype))), plan.columns);
  slot.s = take(plan.pack_s && plan.shared_s == 0, tiles * most_rows * depth);
  slot.v = take(plan.pack_v, round_up(group, align) * (depth + 1));
  slot.sums = take(plan.indirect && plan.chunk_pieces == 1, plan.rows * slot.sums_row);
  slot.size = at;
  return slot;
}

namespace {

/// Where several pieces read the same rows of s, it is packed once; all of their tiles must have one height.
Size shared_bytes(const View& v, const ContractPlan& plan, bool shares, const ContractWidths& widths) {
  const Size last = v.columns - (plan.column_pieces - 1) * plan.columns;
  if (!shares || !plan.pack_s || plan.chunk_pieces > 1 || plan.column_pieces == 1 || last <= widths.lanes) return 0;
  const Size width = round_up(widths.tile_rows, widths.lanes);
  const Size tiles = plan.row_pieces * divide_up(plan.rows, widths.tile_rows);
  const Size room = plan.row_pieces * divide_up(v.k, kContractChunk) * widths.lanes;
  return round_up((tiles * width * v.k + room) * v.element, 64);
}

}  // namespace

ContractPlan plan_contract(const ContractShape& shape, const ContractWidths& widths, std::size_t& workspace,
                           ContractSteady steady, bool packs_once) {
  ContractPlan plan;
  for (const Size size : shape.batch) plan.batch *= size;
  const View straight = with_steady(view_of(shape, widths, false), shape, steady);
  const View swapped = with_steady(view_of(shape, widths, true), shape, steady);
  const View v = cost(swapped) < cost(straight) ? swapped : straight;
  plan.swap = v.swap;
  plan.indirect = v.indirect;

  const double one =
      static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(std::max<Size>(shape.k, 1));
  const double whole = one * static_cast<double>(plan.batch);
  const double least = static_cast<double>(kLeastPiece);
  // A few pieces while the work is small, then more: packing is repeated for each.
  const double few = std::clamp(whole / (32 * least), 4.0, 16.0);
  const Size wanted = static_cast<Size>(std::clamp(whole / least, 1.0, std::clamp(whole / (64 * least), few, 64.0)));
  const Size shared = plan.batch == 1 && v.packs_s() && !v.convert && (v.s_row == 1 || v.thrashes())
                          ? round_up(v.rows, 64) * v.k * v.element
                          : 0;
  const bool shares = whole >= kLeastShared && shared > 0 && shared <= kMostShared;
  const bool each_packs_s = v.packs_s() && !shares && !(packs_once && plan.batch == 1);
  cut(v, std::max<Size>(1, wanted / plan.batch), one < least, each_packs_s, plan);
  if (one < least) plan.group = std::clamp<Size>(plan.batch / wanted, 1, static_cast<Size>(std::max(1.0, least / one)));

  // Where the outputs give too few pieces, the chunks of k give more.
  const Size chunks = divide_up(shape.k, kContractChunk);
  const Size pieces = plan.row_pieces * plan.column_pieces * divide_up(plan.batch, plan.group);
  if (chunks > 1 && pieces < wanted && pieces < 8) {
    plan.group = 1;
    const double block = static_cast<double>(plan.rows) * static_cast<double>(plan.columns) * kContractChunk;
    plan.chunks = std::clamp<Size>(static_cast<Size>(least / block), 1, chunks);
    plan.chunk_pieces = divide_up(chunks, plan.chunks);
  }

  choose_packing(v, plan);
  plan.shared_s = shared_bytes(v, plan, shares, widths);
  plan.by_group =
      !plan.swap && !plan.indirect && plan.chunk_pieces == 1 && plan.rows * plan.columns * v.element > kContractL2Bytes;

  const Size parts = plan.row_pieces * plan.column_pieces * divide_up(plan.batch, plan.group) * plan.chunk_pieces;
  plan.threads = std::min<Size>(base::threads(), parts);
  const ContractSlot slot = contract_slot(shape, plan, widths);
  plan.slot_bytes = round_up(slot.size * v.element, 128);
  Size total = plan.slot_bytes * plan.threads + plan.shared_s;
  if (plan.chunk_pieces > 1) {
    const Size chunk_sums = v.rows * round_up(v.columns, 64 / v.element);
    total += (chunk_sums * chunks * plan.batch + widths.lanes) * v.element;
  }
  workspace = static_cast<std::size_t>(round_up(total, 64));
  return plan;
}

}  // namespace pellucid::kernels
