// Indexing and order composed of take and argsort.
#include <algorithm>

#include "base/thread_pool.h"
#include "ops/composed.h"

namespace pellucid::ops {
namespace {

// gather adds up one position from several indices, which would hide one that is out of range: each is checked before.
// integer = the size of the axis, axes[0] = the axis.
Record gather_index_definition() {
  Record record;
  record.name = "gather_index";
  record.summary = "indices counted from the start of an axis; one out of range throws";
  record.shapes = "(...) -> (...)";
  record.differentiable = false;
  record.infer = infer_same;
  record.dtypes = {int64};
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t count = count_of(signature.inputs[0]), n = signature.attributes.integer;
    const std::int64_t axis = signature.attributes.axes[0];
    return [=](void* const* y, const void* const* x) {
      constexpr std::int64_t kPiece = 65536;
      base::parallel_for((count + kPiece - 1) / kPiece, [&](std::int64_t piece) {
        const auto* from = static_cast<const std::int64_t*>(x[0]);
        auto* to = static_cast<std::int64_t*>(y[0]);
        for (std::int64_t i = piece * kPiece; i < std::min(count, (piece + 1) * kPiece); ++i) {
          const std::int64_t at = from[i] < 0 ? from[i] + n : from[i];
          if (at < 0 || at >= n) {
            fail("gather",
                 "index {} (element {} of the indices) is out of range for axis {} of size {}; allowed are {} to {}",
                 from[i], i, axis, n, -n, n - 1);
          }
          to[i] = at;
        }
      });
    };
  };
  record.ulp = 0;
  return record;
}
const Record& kGatherIndex = define(gather_index_definition());

void check_indices(std::string_view name, const Array& indices) {
  check_defined(name, indices);
  if (!is_integer(indices.dtype())) fail(name, "indices are {}; they must be int32 or int64", indices.dtype());
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array gather(const Array& x, const Arrays& indices) {
  check_defined("gather", x);
  if (indices.empty() || indices.size() > x.shape().size()) {
    fail("gather", "{} index arrays for shape {}; give one for each of the leading axes, and at least one",
         indices.size(), x.shape());
  }
  for (const Array& index : indices) check_indices("gather", index);
  if (indices.size() == 1) return take(x, indices[0], 0);
  const Arrays together = broadcast_together("gather", indices);
  Array flat;
  std::int64_t total = 1;
  for (std::size_t d = 0; d < indices.size(); ++d) {
    Attributes attributes;
    attributes.integer = x.shape()[d];
    attributes.axes = {static_cast<std::int64_t>(d)};
    const Array at = make(kGatherIndex, {astype(together[d], int64)}, std::move(attributes));
    flat = d == 0 ? at : flat * constant_int64(x.shape()[d]) + at;
    total *= x.shape()[d];
  }
  Shape shape{total};
  shape.insert(shape.end(), x.shape().begin() + static_cast<std::ptrdiff_t>(indices.size()), x.shape().end());
  return take(reshape(x, shape), flat, 0);
}

Array one_hot(const Array& indices, std::int64_t classes, DType dtype) {
  check_indices("one_hot", indices);
  if (classes < 0) fail("one_hot", "the number of classes is {}; it must not be negative", classes);
  const DType type = indices.dtype() == uint8 ? int32 : indices.dtype();
  return astype(equal(expand_dims(astype(indices, type), -1), arange(classes, type)), dtype);
}

Array sort(const Array& x, int axis, bool descending) {
  check_defined("sort", x);
  checked_axis("sort", axis, x.shape());
  return take_along_axis(x, argsort(x, axis, descending), axis);
}

TopK topk(const Array& x, std::int64_t k, int axis) {
  check_defined("topk", x);
  const std::size_t at = checked_axis("topk", axis, x.shape());
  if (k < 0 || k > x.shape()[at]) {
    fail("topk", "k is {} for axis {} of {}; it must be from 0 to {}", k, axis, x.shape(), x.shape()[at]);
  }
  const Array order = slice(argsort(x, axis, true), static_cast<int>(at), 0, k);
  return {take_along_axis(x, order, axis), order};
}

Arrays nonzero(const Array& x) {
  check_defined("nonzero", x);
  if (x.rank() == 0) fail("nonzero", "a scalar has no axes to give indices for; reshape it to [1]");
  const Array truth = astype(x, bool_);
  const auto* values = static_cast<const std::uint8_t*>(truth.raw_data());
  const Shape& shape = x.shape();
  std::vector<std::vector<std::int64_t>> found(shape.size());
  std::vector<std::int64_t> at(shape.size(), 0);
  for (std::int64_t i = 0, n = x.size(); i < n; ++i) {
    if (values[i] != 0) {
      for (std::size_t d = 0; d < at.size(); ++d) found[d].push_back(at[d]);
    }
    for (std::size_t d = at.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  Arrays result;
  for (const auto& positions : found) result.push_back(Array::from(positions));
  return result;
}

}  // namespace pellucid
