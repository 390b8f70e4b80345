// Convolutions of operands that are taken as bfloat16 numbers, by one contraction: what the taps of a position read
// lies side by side in a row of patches, in bfloat16. Each value is copied several times, in half the bytes, and
// multiplied twice as fast: this pays where many outputs share a patch.
#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/contract_bf16.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

using Size = std::int64_t;

/// Elements of the patches that are made at a time: 8 MB, which the last-level cache holds.
constexpr Size kMostPatches = 4 << 20;
/// Outputs that share a patch, and channels of a pixel, at least.
constexpr Size kLeastOutputs = 64, kLeastChannels = 32;
constexpr Size kPiece = 1 << 15;  // elements of one piece of a parallel loop

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
std::size_t aligned(Size bytes) { return static_cast<std::size_t>((bytes + 63) / 64 * 64); }

/// Positions of a source picture side by side that the taps of a line read.
struct Run {
  Size offset = 0, length = 0;
};

/// The patches of one grid: a row for each position, [tap][channel] of the source as the grid's axes list the taps.
class Patches {
 public:
  Patches(const Grid& grid, const Position& source, Size channels)
      : grid_(grid),
        source_(source),
        channels_(channels),
        taps_(taps_of(grid)),
        positions_(grid[0].count * grid[1].count * grid[2].count) {
    for (const Size offset : grid[2].offsets) {
      if (!runs_.empty() && offset == runs_.back().offset + runs_.back().length) {
        ++runs_.back().length;
      } else {
        runs_.push_back({offset, 1});
      }
    }
  }
  static Size taps_of(const Grid& grid) {
    Size taps = 1;
    for (const GridAxis& axis : grid) taps *= static_cast<Size>(axis.offsets.size());
    return taps;
  }
  const Grid& grid() const { return grid_; }
  Size positions() const { return positions_; }
  Size columns() const { return taps_ * channels_; }

  void fill(BFloat16* to, const BFloat16* from, Size images) const {
    each_line(images, [&](Size image, Size i, Size j, Size line) {
      fill_line(to + line * grid_[2].count * columns(), from + image * volume(source_) * channels_, i, j);
    });
  }
  /// Calls f(image, i, j, number) for each line of positions along the last axis, over the thread pool.
  template <class F>
  void each_line(Size images, const F& f) const {
    const Size lines = images * grid_[0].count * grid_[1].count;
    const Size step = std::max<Size>(1, kPiece / std::max<Size>(1, grid_[2].count * columns()));
    base::parallel_for(divide_up(lines, step), [&](Size piece) {
      for (Size line = piece * step; line < std::min(lines, (piece + 1) * step); ++line) {
        f(line / (grid_[0].count * grid_[1].count), line / grid_[1].count % grid_[0].count, line % grid_[1].count,
          line);
      }
    });
  }

 private:
  void fill_line(BFloat16* to, const BFloat16* image, Size i, Size j) const {
    const auto pixels = [this](Size count) { return static_cast<std::size_t>(count * channels_) * sizeof(BFloat16); };
    for (Size k = 0; k < grid_[2].count; ++k) {
      for (const Size plane : grid_[0].offsets) {
        for (const Size height : grid_[1].offsets) {
          const Size p = i * grid_[0].step + plane, q = j * grid_[1].step + height;
          const bool inside = p >= 0 && p < source_[0] && q >= 0 && q < source_[1];
          for (const Run& run : runs_) {
            const Size first = k * grid_[2].step + run.offset;
            const Size begin = inside ? std::clamp<Size>(-first, 0, run.length) : run.length;
            const Size end = std::clamp<Size>(source_[2] - first, begin, run.length);
            std::memset(to, 0, pixels(begin));
            if (begin < end) {
              std::memcpy(to + begin * channels_,
                          image + ((p * source_[1] + q) * source_[2] + first + begin) * channels_, pixels(end - begin));
            }
            std::memset(to + end * channels_, 0, pixels(run.length - end));
            to += run.length * channels_;
          }
        }
      }
    }
  }

  Grid grid_;
  Position source_;
  Size channels_, taps_, positions_;
  std::vector<Run> runs_;  // along the last axis
};

/// The sizes of a kind: what is laid out in patches, and what they are multiplied with.
struct Sides {
  Sides(const ConvolveShape& shape, ConvolveKind kind)
      : grids(grids_of(shape, kind == ConvolveKind::kInput ? kind : ConvolveKind::kForward)),
        source(kind == ConvolveKind::kInput ? shape.out : shape.in),
        channels(kind == ConvolveKind::kInput ? shape.outputs : shape.channels),
        others(kind == ConvolveKind::kInput ? shape.channels : shape.outputs) {}
  /// Elements of the largest grid's patches of one picture.
  Size most_patches() const {
    Size most = 0;
    for (const Grid& grid : grids) {
      most = std::max(most, grid[0].count * grid[1].count * grid[2].count * Patches::taps_of(grid) * channels);
    }
    return most;
  }
  std::vector<Grid> grids;
  Position source;
  Size channels, others;
};

/// Sums are those of bf16_contract, over the taps in the order of the grid and in each over the channels; the kernel's
/// gradient sums over the positions of a block of pictures, and adds these sums in order.
class PatchWay final : public Convolve::Way {
 public:
  PatchWay(const ConvolveShape& shape, ConvolveKind kind);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  ContractShape described(const Patches& patches, Size images) const;
  /// The rows of a kernel that a grid's patches meet, [tap][output][channel].
  void turn_kernel(float* to, const float* w, const Grid& grid) const;
  void spread(float* x, const float* from, const Patches& patches, Size images) const;

  ConvolveShape shape_;
  ConvolveKind kind_;
  Sides sides_;
  std::vector<Patches> patches_;                               // of each grid
  Size images_ = 0, block_ = 0;                                // pictures of all convolutions, and of one block of them
  std::vector<Contract> whole_, rest_;                         // for each grid, of a block and of the last, smaller one
  std::size_t source_ = 0, made_ = 0, kernel_ = 0, sums_ = 0;  // bytes of scratch memory
};

PatchWay::PatchWay(const ConvolveShape& shape, ConvolveKind kind)
    : shape_(shape), kind_(kind), sides_(shape, kind), images_(shape.batch * shape.n) {
  const Size most = std::max<Size>(1, kMostPatches / std::max<Size>(1, sides_.most_patches()));
  block_ = shape.batch != 1 || images_ <= most ? images_ : divide_up(images_, divide_up(images_, most));
  const Size left = block_ == 0 ? 0 : images_ % block_;
  std::size_t contraction = 0;
  Size patches = 0, kernel = 0, sums = 0;
  for (const Grid& grid : sides_.grids) {
    const Patches& p = patches_.emplace_back(grid, sides_.source, sides_.channels);
    whole_.push_back(bf16_contract(described(p, block_)));
    rest_.push_back(left == 0 ? Contract() : bf16_contract(described(p, left)));
    contraction = std::max({contraction, whole_.back().workspace(), rest_.back().workspace()});
    patches = std::max(patches, block_ * p.positions() * p.columns());
    kernel = std::max(kernel, shape.batch * p.columns() * sides_.others);
    sums = std::max(sums, block_ * p.positions() * sides_.others);
  }
  source_ = aligned(images_ * volume(sides_.source) * sides_.channels * Size{sizeof(BFloat16)});
  made_ = aligned(patches * Size{sizeof(BFloat16)});
  if (kind == ConvolveKind::kInput) {
    kernel_ = aligned(kernel * Size{sizeof(float)});
    sums_ = aligned(sums * Size{sizeof(float)});
  }
  if (kind == ConvolveKind::kWeight && block_ < images_) sums_ = aligned(kernel * Size{sizeof(float)});
  workspace = source_ + made_ + kernel_ + sums_ + contraction;
}

ContractShape PatchWay::described(const Patches& patches, Size images) const {
  const Size rows = images / shape_.batch * patches.positions(), columns = patches.columns(), n = sides_.others;
  ContractShape s;
  s.batch = {shape_.batch};
  s.a_narrow = true;
  s.n = s.b_k = s.c_m = n;
  s.b_n = 1;
  s.a_batch = {rows * columns};
  if (kind_ == ConvolveKind::kWeight) {
    s.m = columns, s.k = rows;
    s.a_m = 1, s.a_k = columns;
    s.b_batch = {rows * n}, s.c_batch = {columns * n};
  } else {
    s.m = rows, s.k = columns;
    s.a_m = columns, s.a_k = 1;
    s.b_batch = {columns * n}, s.c_batch = {rows * n};
    s.bias = kind_ == ConvolveKind::kForward && shape_.bias;
    s.relu = kind_ == ConvolveKind::kForward && shape_.relu;
  }
  return s;
}

void PatchWay::turn_kernel(float* to, const float* w, const Grid& grid) const {
  const Size c = shape_.channels, o = shape_.outputs;
  const Size sizes[] = {o, c}, to_strides[] = {c, 1}, from_strides[] = {1, o};
  for (const Size plane : grid[0].taps) {
    for (const Size height : grid[1].taps) {
      for (const Size width : grid[2].taps) {
        const Size tap = (plane * shape_.kernel[1] + height) * shape_.kernel[2] + width;
        copy_strided_parallel(to, to_strides, w + tap * c * o, from_strides, sizes, 2, sizeof(float));
        to += c * o;
      }
    }
  }
}

/// Sums of positions, row after row, to where the grid says that they lie in the picture.
void PatchWay::spread(float* x, const float* from, const Patches& patches, Size images) const {
  const Size c = shape_.channels;
  const auto at = [&](std::size_t d, Size i) { return patches.grid()[d].first + i * patches.grid()[d].pace; };
  patches.each_line(images, [&](Size image, Size i, Size j, Size line) {
    const Size count = patches.grid()[2].count;
    const Size above = ((image * shape_.in[0] + at(0, i)) * shape_.in[1] + at(1, j)) * shape_.in[2];
    for (Size k = 0; k < count; ++k) {
      std::memcpy(x + (above + at(2, k)) * c, from + (line * count + k) * c,
                  static_cast<std::size_t>(c) * sizeof(float));
    }
  });
}

/// y += x.
void add(float* y, const float* x, Size elements) {
  const Map map = map_table().add[DType::kFloat32];
  base::parallel_for(divide_up(elements, kPiece), [&](Size piece) {
    const Size from = piece * kPiece;
    map(y + from, y + from, x + from, nullptr, static_cast<std::size_t>(std::min(kPiece, elements - from)));
  });
}

void PatchWay::run(void* result, const void* a, const void* b, const void* bias, void* scratch) const {
  auto* source = static_cast<BFloat16*>(scratch);
  auto* made = reinterpret_cast<BFloat16*>(reinterpret_cast<std::byte*>(source) + source_);
  auto* kernel = reinterpret_cast<float*>(reinterpret_cast<std::byte*>(made) + made_);
  auto* sums = reinterpret_cast<float*>(reinterpret_cast<std::byte*>(kernel) + kernel_);
  auto* contraction = reinterpret_cast<std::byte*>(sums) + sums_;
  const auto* x = static_cast<const float*>(a);
  const auto* w = static_cast<const float*>(b);
  auto* y = static_cast<float*>(result);

  const Map narrow = map_table().cast[static_cast<std::size_t>(DType::kBFloat16)][DType::kFloat32];
  const Size picture = volume(sides_.source) * sides_.channels, elements = images_ * picture;
  base::parallel_for(divide_up(elements, kPiece), [&](Size piece) {
    const Size from = piece * kPiece;
    narrow(source + from, x + from, nullptr, nullptr, static_cast<std::size_t>(std::min(kPiece, elements - from)));
  });
  for (std::size_t g = 0; g < patches_.size(); ++g) {
    const Patches& p = patches_[g];
    const bool turned = kind_ == ConvolveKind::kInput;
    for (Size i = 0; i < shape_.batch && turned; ++i) {
      turn_kernel(kernel + i * p.columns() * sides_.others,
                  w + i * volume(shape_.kernel) * shape_.channels * shape_.outputs, p.grid());
    }
    for (Size image = 0; image < images_; image += block_) {
      const Size count = std::min(block_, images_ - image);
      const Contract& contract = (count == block_ ? whole_ : rest_)[g];
      p.fill(made, source + image * picture, count);
      switch (kind_) {
        case ConvolveKind::kForward:
          contract.run(y + image * p.positions() * shape_.outputs, made, w, bias, contraction);
          break;
        case ConvolveKind::kInput:
          contract.run(sums, made, kernel, nullptr, contraction);
          spread(y + image * volume(shape_.in) * shape_.channels, sums, p, count);
          break;
        case ConvolveKind::kWeight:
          contract.run(image == 0 ? y : sums, made, w + image * p.positions() * shape_.outputs, nullptr, contraction);
          if (image > 0) add(y, sums, p.columns() * shape_.outputs);
          break;
      }
    }
  }
}

}  // namespace

bool suits_patches(const ConvolveShape& s, ConvolveKind kind) {
  if (!s.rounded || bf16_way() == Bf16Way::kNone || s.dtype != DType::kFloat32 || s.groups != 1) return false;
  if (volume(s.kernel) == 1 || s.batch * s.n == 0 || volume(s.out) == 0) return false;
  const Sides sides(s, kind);
  if (sides.others < kLeastOutputs || sides.channels < kLeastChannels) return false;
  if (sides.most_patches() * (s.batch == 1 ? 1 : s.batch * s.n) > kMostPatches) return false;
  return std::all_of(sides.grids.begin(), sides.grids.end(),
                     [](const Grid& grid) { return Patches::taps_of(grid) > 0; });
}

std::shared_ptr<const Convolve::Way> patch_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return std::make_shared<PatchWay>(shape, kind);
}

}  // namespace pellucid::kernels
