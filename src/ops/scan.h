// The record `scan`: what its files share.
//
// Operands: carries, xs, captured. Results: last carries, ys, and the carries that each step began with (the history,
// which the backward pass reads). integer = length; flag = reverse; axes = {carries, xs, captured}; extra = the body.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/traced.h"

namespace pellucid::ops {

struct LinearScan;  // scan_vjp.cpp

/// A step of a loop: (carries, xs, captured) -> (carries, ys).
struct ScanBody : Traced {
  explicit ScanBody(Traced traced, std::uint64_t base_id = 0);
  std::uint64_t id;    // of this body alone
  std::uint64_t base;  // the body whose outputs are the first of this one's; 0: none
  /// How its derivative is taken, for each set of cotangents that was asked for.
  mutable std::vector<std::shared_ptr<const LinearScan>> linear;
};

struct ScanParts {
  std::size_t carries, xs, captured, ys;
  explicit ScanParts(const Attributes& attributes);
};
inline const ScanBody& scan_body(const Attributes& attributes) {
  return *static_cast<const ScanBody*>(attributes.extra.get());
}
const Record& scan_record();

/// list[first, first + count).
Arrays part_of(const Arrays& list, std::size_t first, std::size_t count);
Arrays joined(std::initializer_list<Arrays> lists);

Arrays vjp_scan(const VjpCall& call);

}  // namespace pellucid::ops
