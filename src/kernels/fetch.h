// Memory that is about to be read: kernels that multiply for long fetch it beside, so that what comes after them does
// not wait for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pellucid::kernels {

/// Ranges of memory, in the order in which they will be needed. Each thread has one queue; what no kernel takes is
/// forgotten with clear().
class FetchQueue {
 public:
  static constexpr std::int64_t kLine = 64;  // bytes

  void clear() { first_ = count_ = 0; }
  /// Nothing happens where the queue is full.
  void add(const void* memory, std::size_t bytes) {
    if (count_ == kMost || bytes == 0) return;
    const auto skew = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(memory) % kLine);
    ranges_[count_++] = {static_cast<const std::byte*>(memory) - skew,
                         (skew + static_cast<std::int64_t>(bytes) + kLine - 1) / kLine};
  }

  struct Lines {
    const std::byte* at = nullptr;
    std::int64_t count = 0;
  };
  /// The next lines, `most` at most, one behind the other.
  Lines take(std::int64_t most) {
    if (first_ == count_) return {};
    Lines& range = ranges_[first_];
    const Lines taken = {range.at, most < range.count ? most : range.count};
    range.at += taken.count * kLine;
    range.count -= taken.count;
    if (range.count == 0) ++first_;
    return taken;
  }

 private:
  static constexpr std::size_t kMost = 32;
  Lines ranges_[kMost];
  std::size_t first_ = 0, count_ = 0;
};

/// This thread's.
FetchQueue& fetch_queue();

}  // namespace pellucid::kernels
