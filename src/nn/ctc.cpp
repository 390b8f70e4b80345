// Connectionist temporal classification.
#include <limits>

#include "base/fail.h"
#include "nn/loss_parts.h"
#include "pellucid/loss_sequence.h"
#include "pellucid/ops.h"

namespace pellucid::loss {

using base::fail;

namespace {

// The logarithm of 0 in the recursion: finite, so that no derivative is inf - inf; no sum of real ones reaches it.
constexpr double kNever = -1e30;

void check_lengths(std::string_view which, const Array& lengths, std::int64_t batch, std::int64_t most) {
  if (!lengths.defined()) return;
  if (lengths.shape() != Shape{batch} || is_float(lengths.dtype())) {
    fail("ctc: the {} lengths are {} of shape {}; they must be integers of shape {}", which, lengths.dtype(),
         lengths.shape(), Shape{batch});
  }
  if (!lengths.evaluated()) return;
  const std::vector<std::int64_t> values = lengths.to_vector<std::int64_t>();
  for (std::size_t n = 0; n < values.size(); ++n) {
    if (values[n] < 0 || values[n] > most)
      fail("ctc: {} length {} of example {} is out of range, 0 to {}", which, values[n], n, most);
  }
}

void check_labels(const Array& target, const Array& lengths, std::int64_t classes, std::int64_t blank) {
  if (!target.evaluated() || (lengths.defined() && !lengths.evaluated())) return;
  const std::vector<std::int64_t> labels = target.to_vector<std::int64_t>();
  const std::vector<std::int64_t> counts =
      lengths.defined() ? lengths.to_vector<std::int64_t>() : std::vector<std::int64_t>();
  const auto size = static_cast<std::size_t>(target.size(1));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool counted = counts.empty() || static_cast<std::int64_t>(i % size) < counts[i / size];
    if (!counted || (labels[i] >= 0 && labels[i] < classes && labels[i] != blank)) continue;
    fail("ctc: label {} at ({}, {}) is no label; there are the classes 0 to {}, and {} is the blank", labels[i],
         i / size, i % size, classes - 1, blank);
  }
}

/// x moved `by` places along the last axis, `fill` in front.
Array moved(const Array& x, std::int64_t by, double fill) {
  const std::int64_t n = x.size(-1);
  if (by >= n) return full_like(x, fill);
  return pad(slice(x, -1, 0, n - by), {{0, 0}, {by, 0}}, fill);
}

/// log(exp(a) + exp(b) + exp(c)); where all are kNever it stays there, and no derivative flows.
Array add_three(const Array& a, const Array& b, const Array& c) {
  const Array most = stop_gradient(maximum(maximum(a, b), c));
  const Array open = most > kNever / 2;
  const Array base = where(open, most, 0.0);
  const Array total = exp(a - base) + exp(b - base) + exp(c - base);
  return where(open, base + log(where(open, total, 1.0)), kNever);
}

}  // namespace

Array CTC::of(const Array& prediction, const Array& target, const Lengths& lengths, const Array& weights) const {
  check_floating(kName, prediction);
  if (prediction.rank() != 3 || prediction.size(2) == 0) {
    fail("ctc: the prediction has shape {}; it must be (batch, steps, classes)", prediction.shape());
  }
  const std::int64_t n = prediction.size(0), steps = prediction.size(1), classes = prediction.size(2);
  if (!target.defined() || target.rank() != 2 || target.size(0) != n || is_float(target.dtype())) {
    fail("ctc: the target must be integers of shape ({}, labels) for the prediction {}, not {}", n, prediction.shape(),
         target.defined() ? to_string(target.shape()) + " of " + std::string(name_of(target.dtype()))
                          : std::string("undefined"));
  }
  if (blank < 0 || blank >= classes) fail("ctc: the blank {} is none of {} classes", blank, classes);
  const std::int64_t labels = target.size(1), states = 2 * labels + 1;
  check_lengths("input", lengths.inputs, n, steps);
  check_lengths("target", lengths.targets, n, labels);
  check_labels(target, lengths.targets, classes, blank);

  const DType dtype = prediction.dtype() == bfloat16 ? float32 : prediction.dtype();
  const auto counts = [&](const Array& given, std::int64_t all) {
    return given.defined() ? astype(given, int64) : full({n}, all, int64);
  };
  const Array input_counts = counts(lengths.inputs, steps), target_counts = counts(lengths.targets, labels);

  // States: blank, label, blank, label, ..., blank. Labels that do not count may be anything, so they become blanks.
  const Array counted = arange(labels) < expand_dims(target_counts, -1);
  const Array known = where(counted, astype(target, int64), blank);
  const Array blanks = full({n, labels, 1}, blank, int64);
  const Array pairs = reshape(concat({blanks, expand_dims(known, -1)}, 2), {n, 2 * labels});
  const Array classes_of = concat({pairs, full({n, 1}, blank, int64)}, 1);  // (N, states)
  // A label may follow the label before it without a blank, where the two differ.
  const Array before =
      labels == 0 ? classes_of : concat({full({n, 2}, blank, int64), slice(classes_of, 1, 0, states - 2)}, 1);
  const Array skips = not_equal(classes_of, blank) & not_equal(classes_of, before);

  const Array log_probabilities = log_softmax(astype(prediction, dtype), -1);
  const Array index = broadcast_to(expand_dims(classes_of, 1), {n, steps, states});
  const Array emission = permute(take_along_axis(log_probabilities, index, 2), {1, 0, 2});  // (T, N, states)
  const Array active = reshape(arange(steps), {steps, 1, 1}) < reshape(input_counts, {1, n, 1});

  // Before the first step the path is in front of state 0: one step on it is in state 0 or 1.
  const Array start = concat({full({n, 1}, 0.0, dtype), full({n, states}, kNever, dtype)}, 1);
  const auto step = [&](const Arrays& carry, const Arrays& at) -> ScanStep {
    const Array& alpha = carry[0];  // (N, 1 + states): in front, then of each state
    const Array front = slice(alpha, 1, 0, 1), inside = slice(alpha, 1, 1, states + 1);
    // From in front one comes to states 0 and 1.
    const Array one = concat({front, slice(inside, 1, 0, states - 1)}, 1);
    Array two = moved(inside, 2, kNever);
    if (labels > 0) {
      two = where(skips, two, kNever);
      const Array first = full({n, 1}, kNever, dtype), rest = slice(two, 1, 2, states);
      two = concat({first, front, rest}, 1);
    }
    const Array sums = add_three(inside, one, two);
    const Array next = where(sums > kNever / 2, sums + at[0], kNever);
    const Array moved_on = concat({full({n, 1}, kNever, dtype), next}, 1);
    return {{where(at[1], moved_on, alpha)}, {}};
  };
  const Array last = scan(step, {start}, {emission, active}).carry[0];
  // A path ends in the last label or in the blank behind it; without labels in the blank, without steps in front.
  const Array end = expand_dims(target_counts * 2, -1);
  const auto at = [&](const Array& places) { return take_along_axis(last, places, 1); };
  const Array empty = expand_dims(equal(input_counts, 0), -1), none = expand_dims(equal(target_counts, 0), -1);
  const Array in_blank = where(empty & none, slice(last, 1, 0, 1), at(end + 1));
  const Array in_label = where(none, kNever, at(maximum(end, std::int64_t{1})));
  const Array total = squeeze(add_three(in_blank, in_label, full_like(in_blank, kNever)), 1);
  const Array possible = total > kNever / 2;
  const double otherwise = zero_infinity ? 0.0 : std::numeric_limits<double>::infinity();
  Array losses = where(possible, -total, otherwise);
  if (reduction == Reduction::kMean) {
    losses = losses / astype(maximum(target_counts, std::int64_t{1}), dtype);
  }
  return reduce(kName, astype(losses, prediction.dtype()), reduction, weights);
}

}  // namespace pellucid::loss
