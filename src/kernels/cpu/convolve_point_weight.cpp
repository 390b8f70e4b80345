// w from x, g of one tap with a stride. A piece takes some pictures and 256 bytes of each pixel's channels: it gathers
// the pixels that the stride leaves, which then lie in its processor's own cache, and is one contraction.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

using Size = std::int64_t;

constexpr double kLeastPiece = 512 << 10;  // multiply-adds: about 10 microseconds
constexpr double kMostPieces = 8;          // that the pictures are cut for
constexpr Size kLeastSteps = 512;          // pixels of a part, beside which adding its sums is little
constexpr Size kPieceBytes = 256;          // channels so far apart are read where they lie, more would collide in L1
constexpr Size kStrip = 2048;              // elements of a piece of the sum of parts

constexpr Size round_up(Size x, Size to) { return (x + to - 1) / to * to; }

/// The sum over the pictures of a part is that of a contraction; parts are added in order.
class PointWeightWay final : public Convolve::Way {
 public:
  explicit PointWeightWay(const ConvolveShape& shape);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  void cut();
  ContractShape described(Size pictures) const;
  void gather(std::byte* to, const std::byte* x, Size pictures) const;
  void add_parts(std::byte* w, const std::byte* sums) const;

  ConvolveShape shape_;
  Size element_ = 0, pixels_ = 0;  // bytes of an element; pixels of a picture of y
  Size parts_ = 1, channel_pieces_ = 1, piece_channels_ = 0;
  Contract less_, more_;  // of a part with its even share of the pictures, and of one with a picture more
  Size part_ = 0;         // elements of a part's sums
  Size gathered_ = 0, slot_ = 0, sums_ = 0;  // bytes
  int threads_ = 1;
};

PointWeightWay::PointWeightWay(const ConvolveShape& shape)
    : shape_(shape), element_(static_cast<Size>(size_of(shape.dtype))), pixels_(volume(shape.out)) {
  threads_ = base::threads();
  cut();
  const Size pictures = shape.n / parts_, most = (shape.n + parts_ - 1) / parts_;
  less_ = Contract(described(pictures));
  more_ = Contract(described(most));
  part_ = shape.batch * shape.channels * shape.outputs;
  gathered_ = round_up(most * pixels_ * piece_channels_ * element_, 64);
  slot_ = gathered_ + round_up(static_cast<Size>(std::max(less_.workspace(), more_.workspace())), 128);
  if (parts_ > 1) sums_ = round_up(parts_ * part_ * element_, 64);
  workspace = static_cast<std::size_t>(sums_ + slot_ * threads_);
}

void PointWeightWay::cut() {
  piece_channels_ = shape_.channels % (kPieceBytes / element_) == 0 ? kPieceBytes / element_ : shape_.channels;
  channel_pieces_ = piece_channels_ == 0 ? 0 : shape_.channels / piece_channels_;
  const Size pieces = shape_.batch * channel_pieces_;
  // Sums of parts would be rounded.
  if (pieces == 0 || shape_.dtype == DType::kBFloat16) return;
  const double work = static_cast<double>(shape_.n * pixels_) * static_cast<double>(shape_.channels) *
                      static_cast<double>(shape_.outputs) * static_cast<double>(shape_.batch);
  const Size wanted = static_cast<Size>(std::clamp(work / kLeastPiece, 1.0, kMostPieces)) / pieces;
  const Size parts = std::min({wanted, shape_.n, shape_.n * pixels_ / kLeastSteps});
  parts_ = static_cast<Size>(std::bit_floor(static_cast<std::uint64_t>(std::max<Size>(parts, 1))));
}

ContractShape PointWeightWay::described(Size pictures) const {
  ContractShape s;
  s.dtype = s.out = shape_.dtype;
  s.m = piece_channels_, s.n = shape_.outputs, s.k = pictures * pixels_;
  s.a_m = 1, s.a_k = piece_channels_;
  s.b_k = s.c_m = shape_.outputs;
  s.b_n = 1;
  return s;
}

void PointWeightWay::gather(std::byte* to, const std::byte* x, Size pictures) const {
  const Size pixel = shape_.channels * element_, bytes = piece_channels_ * element_;
  for (Size i = 0; i < pictures; ++i) {
    for (Size p = 0; p < shape_.out[0]; ++p) {
      for (Size q = 0; q < shape_.out[1]; ++q) {
        const Size plane = i * shape_.in[0] + p * shape_.stride[0];
        const std::byte* from = x + (plane * shape_.in[1] + q * shape_.stride[1]) * shape_.in[2] * pixel;
        for (Size r = 0; r < shape_.out[2]; ++r, from += shape_.stride[2] * pixel, to += bytes)
          std::memcpy(to, from, static_cast<std::size_t>(bytes));
      }
    }
  }
}

void PointWeightWay::add_parts(std::byte* w, const std::byte* sums) const {
  const Map add = map_table().add[shape_.dtype];
  base::parallel_for((part_ + kStrip - 1) / kStrip, [&](Size strip) {
    const Size at = strip * kStrip * element_;
    const auto count = static_cast<std::size_t>(std::min(kStrip, part_ - strip * kStrip));
    const std::byte* before = sums + at;
    for (Size part = 1; part < parts_; ++part, before = w + at)
      add(w + at, before, sums + part * part_ * element_ + at, nullptr, count);
  });
}

void PointWeightWay::run(void* result, const void* a, const void* b, const void*, void* scratch) const {
  const auto *x = static_cast<const std::byte*>(a), *g = static_cast<const std::byte*>(b);
  auto *w = static_cast<std::byte*>(result), *memory = static_cast<std::byte*>(scratch);
  base::parallel_for(
      shape_.batch * parts_ * channel_pieces_,
      [&](Size piece, int thread) {
        const Size channel = piece % channel_pieces_ * piece_channels_, part = piece / channel_pieces_ % parts_;
        const Size set = piece / (channel_pieces_ * parts_);
        const Size first = part * shape_.n / parts_, pictures = (part + 1) * shape_.n / parts_ - first;
        const Size picture = set * shape_.n + first;
        std::byte* gathered = memory + sums_ + thread * slot_;
        gather(gathered, x + (picture * volume(shape_.in) * shape_.channels + channel) * element_, pictures);
        std::byte* sums = parts_ == 1 ? w : memory + part * part_ * element_;
        const Contract& contract = pictures == shape_.n / parts_ ? less_ : more_;
        contract.run(sums + (set * shape_.channels + channel) * shape_.outputs * element_, gathered,
                     g + picture * pixels_ * shape_.outputs * element_, nullptr, gathered + gathered_);
      },
      threads_);
  if (parts_ > 1) add_parts(w, memory);
}

}  // namespace

std::shared_ptr<const Convolve::Way> point_weight_convolution(const ConvolveShape& shape) {
  return std::make_shared<PointWeightWay>(shape);
}

}  // namespace pellucid::kernels
