// Copies of a block's source with zeros around it, and of the kernel into panels. Included once for each instruction
// set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_STRIP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_STRIP_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_STRIP_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_STRIP_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/convolve.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::Size;

/// to[0 .. n) = from, as the type of sums. `to` has room for a vector more.
template <class T, class S>
HWY_INLINE void copy_run(T* HWY_RESTRICT to, const S* HWY_RESTRICT from, Size n) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  Size i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    hn::StoreU(contract::load(d, from + i), d, to + i);
    hn::StoreU(contract::load(d, from + i + lanes), d, to + i + lanes);
  }
  for (; i + lanes <= n; i += lanes) hn::StoreU(contract::load(d, from + i), d, to + i);
  for (; i < n; ++i) to[i] = contract::widen(from[i]);
}
template <class T>
HWY_INLINE void zero_run(T* to, Size n) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  Size i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Zero(d), d, to + i);
  for (; i < n; ++i) to[i] = T{};
}

/// Elements ahead of what is copied that lines are fetched.
inline constexpr Size kAhead = 1024;

/// Positions along one axis of a strip: `first` of the source, `thin` apart, those in [inside_from, inside_to) exist.
struct StripAxis {
  Size first = 0, thin = 1, count = 0, inside_from = 0, inside_to = 0;
  static StripAxis of(Size first, Size thin, Size count, Size source) {
    StripAxis a{first, thin, count, 0, 0};
    a.inside_from = first >= 0 ? 0 : (-first + thin - 1) / thin;
    a.inside_from = a.inside_from < count ? a.inside_from : count;
    a.inside_to = first >= source ? 0 : (source - 1 - first) / thin + 1;
    a.inside_to = a.inside_to < count ? a.inside_to : count;
    if (a.inside_to < a.inside_from) a.inside_to = a.inside_from;
    return a;
  }
};

/// One image's part of a strip: `channels` channels of each position, from x, whose pixels are `pixel` elements apart.
template <class T, class S>
void copy_strip(T* strip, const S* x, const StripAxis (&axes)[3], const Position& source, Size pixel, Size channels,
                const Position& pitch) {
  for (Size i = 0; i < axes[0].count; ++i) {
    const bool plane = i >= axes[0].inside_from && i < axes[0].inside_to;
    for (Size j = 0; j < axes[1].count; ++j) {
      T* to = strip + i * pitch[0] + j * pitch[1];
      const StripAxis& a = axes[2];
      if (!plane || j < axes[1].inside_from || j >= axes[1].inside_to) {
        zero_run(to, a.count * channels);
        continue;
      }
      const S* line =
          x + ((axes[0].first + i * axes[0].thin) * source[1] + axes[1].first + j * axes[1].thin) * source[2] * pixel;
      zero_run(to, a.inside_from * channels);
      const S* from = line + (a.first + a.inside_from * a.thin) * pixel;
      T* at = to + a.inside_from * channels;
      if (a.thin == 1 && pixel == channels) {
        copy_run(at, from, (a.inside_to - a.inside_from) * channels);
      } else {
        for (Size l = a.inside_from; l < a.inside_to; ++l, at += channels, from += a.thin * pixel)
          copy_run(at, from, channels);
      }
      zero_run(to + a.inside_to * channels, (a.count - a.inside_to) * channels);
    }
  }
}

/// The same with the channels in blocks of kBlock, each block's positions together, `block` elements apart. Channels
/// that the last block lacks are zeros.
template <Size kBlock, class T, class S>
void copy_blocks(T* strip, Size block, const S* x, const StripAxis (&axes)[3], const Position& source, Size pixel,
                 Size channels, const Position& pitch) {
  const Size blocks = (channels + kBlock - 1) / kBlock;
  for (Size i = 0; i < axes[0].count; ++i) {
    const bool plane = i >= axes[0].inside_from && i < axes[0].inside_to;
    for (Size j = 0; j < axes[1].count; ++j) {
      T* line = strip + i * pitch[0] + j * pitch[1];
      const StripAxis& a = axes[2];
      const bool inside = plane && j >= axes[1].inside_from && j < axes[1].inside_to;
      const Size first = inside ? a.inside_from : a.count, end = inside ? a.inside_to : a.count;
      for (Size q = 0; q < blocks; ++q) {
        zero_run(line + q * block, first * kBlock);
        zero_run(line + q * block + end * kBlock, (a.count - end) * kBlock);
      }
      const S* from =
          x + ((axes[0].first + i * axes[0].thin) * source[1] + axes[1].first + j * axes[1].thin) * source[2] * pixel +
          (a.first + first * a.thin) * pixel;
      for (Size l = first; l < end; ++l, from += a.thin * pixel) {
        T* to = line + l * kBlock;
        Size c = 0;
        for (; c + kBlock <= channels; c += kBlock, to += block) {
          hwy::Prefetch(from + c + kAhead);
          copy_run(to, from + c, kBlock);
        }
        if (c < channels) {
          copy_run(to, from + c, channels - c);
          zero_run(to + channels - c, kBlock - (channels - c));
        }
      }
    }
  }
}

/// What blocks are cut from, and what they become.
struct Pictures {
  Size n = 0;
  Position source = {1, 1, 1};
  Size source_channels = 0;
  Position result = {1, 1, 1};
  Size result_channels = 0;
  Size k = 0;  // channels of a position of the view
};

/// Copies a block's source into the strip where it has one, and fills the tables of its positions, where they lie in
/// the view and in the result; their number.
template <class T, class S>
Size place_block(const Blocks& b, Size block, const Pictures& of, const S* x, S* y, T* strip, const T** rows, S** out) {
  const Position at = position(b.counts, block % volume(b.counts));
  const Size image0 = block / volume(b.counts) * b.images;
  const Size images = std::min(b.images, of.n - image0);
  Position first, count;
  for (std::size_t d = 0; d < 3; ++d) {
    first[d] = at[d] * b.size[d];
    count[d] = std::min(b.size[d], b.grid[d].count - first[d]);
  }
  const Size source_image = volume(of.source) * of.source_channels;
  const Size result_image = volume(of.result) * of.result_channels;
  x += image0 * source_image;
  const T* view = strip;
  if (b.strip) {
    StripAxis axes[3];
    for (std::size_t d = 0; d < 3; ++d) {
      const Size extent = b.extent[d] - (b.size[d] - count[d]) * b.step[d];
      axes[d] = StripAxis::of(b.low[d] + first[d] * b.grid[d].step, b.thin[d], extent, of.source[d]);
    }
    for (Size i = 0; i < images; ++i)
      copy_strip(strip + i * b.image_pitch, x + i * source_image, axes, of.source, of.source_channels, of.k, b.pitch);
  } else if constexpr (std::is_same_v<T, S>) {
    view =
        x + first[0] * b.step[0] * b.pitch[0] + first[1] * b.step[1] * b.pitch[1] + first[2] * b.step[2] * b.pitch[2];
  }

  y += image0 * result_image;
  Size row = 0;
  for (Size i = 0; i < images; ++i) {
    for (Size p = 0; p < count[0]; ++p) {
      for (Size q = 0; q < count[1]; ++q) {
        const T* from = view + i * b.image_pitch + p * b.step[0] * b.pitch[0] + q * b.step[1] * b.pitch[1];
        const Size line = (b.grid[0].first + (first[0] + p) * b.grid[0].pace) * of.result[1] + b.grid[1].first +
                          (first[1] + q) * b.grid[1].pace;
        S* to = y + i * result_image +
                (line * of.result[2] + b.grid[2].first + first[2] * b.grid[2].pace) * of.result_channels;
        for (Size r = 0; r < count[2]; ++r, ++row) {
          rows[row] = from + r * b.step[2] * b.pitch[2];
          out[row] = to + r * b.grid[2].pace * of.result_channels;
        }
      }
    }
  }
  return row;
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_STRIP_INL_H_
