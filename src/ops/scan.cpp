// The body of a scan, and how its operands are divided.
#include "ops/scan.h"

#include <atomic>

namespace pellucid::ops {

ScanBody::ScanBody(Traced traced, std::uint64_t base_id) : Traced(std::move(traced)), base(base_id) {
  static std::atomic<std::uint64_t> count{0};
  id = ++count;
}

ScanParts::ScanParts(const Attributes& attributes)
    : carries(static_cast<std::size_t>(attributes.axes[0])),
      xs(static_cast<std::size_t>(attributes.axes[1])),
      captured(static_cast<std::size_t>(attributes.axes[2])),
      ys(scan_body(attributes).outputs.size() - carries) {}

Arrays part_of(const Arrays& list, std::size_t first, std::size_t count) {
  return Arrays(list.begin() + static_cast<std::ptrdiff_t>(first),
                list.begin() + static_cast<std::ptrdiff_t>(first + count));
}
Arrays joined(std::initializer_list<Arrays> lists) {
  Arrays all;
  for (const Arrays& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace pellucid::ops
