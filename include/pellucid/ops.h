// Operations on arrays. Every function works under every transform (grad, jvp, vmap, compile) where the reference page
// (docs/operations.md) says that it is differentiable; all throw Error where shapes or types do not fit.
//
// Binary and ternary functions broadcast as NumPy does and promote as `promote` in dtype.h says. Negative axes count
// from the end. `axes = {}` with `all` semantics: an absent list of axes means all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

// ---- Creation -------------------------------------------------------------------------------------------------------

Array zeros(const Shape& shape, DType dtype = float32);            // zeros of a shape
Array ones(const Shape& shape, DType dtype = float32);             // ones of a shape
Array full(const Shape& shape, const Array& scalar);               // the type of `scalar` (float32 for a weak float)
Array full(const Shape& shape, const Array& scalar, DType dtype);  // `scalar` repeated
Array zeros_like(const Array& x);                                  // zeros of x's shape and type
Array ones_like(const Array& x);                                   // ones of x's shape and type
Array full_like(const Array& x, const Array& scalar);              // `scalar` repeated to x's shape and type
/// start, start + step, ... below stop. int64 where dtype is an integer; computed as start + i * step.
Array arange(double start, double stop, double step, DType dtype);
Array arange(std::int64_t stop, DType dtype = int64);  // 0, 1, ... below stop
/// `count` evenly spaced values; the last is `stop`.
Array linspace(double start, double stop, std::int64_t count, DType dtype = float32);
/// (n, m), or (n, n): ones on the diagonal, zeros elsewhere.
Array eye(std::int64_t n, std::int64_t m = -1, DType dtype = float32);
/// Keeps the elements on and below (above) diagonal k of the last two axes; zero elsewhere.
Array tril(const Array& x, std::int64_t k = 0);
Array triu(const Array& x, std::int64_t k = 0);  // the same on and above it
Arrays meshgrid(const Arrays& vectors);          // each vector along its own axis of one common shape
/// Rank-1 to a diagonal matrix, or a matrix (..., n, n) to its diagonal (..., n).
Array diag(const Array& x);
Array astype(const Array& x, DType dtype);

// ---- Elementwise, one operand ---------------------------------------------------------------------------------------

Array operator-(const Array& x);
Array operator+(const Array& x);
Array operator!(const Array& x);
Array operator~(const Array& x);
Array negative(const Array& x);
Array positive(const Array& x);  // x
Array abs(const Array& x);
Array sign(const Array& x);
Array floor(const Array& x);
Array ceil(const Array& x);
Array trunc(const Array& x);
Array round(const Array& x);
Array sqrt(const Array& x);
Array rsqrt(const Array& x);
Array reciprocal(const Array& x);
Array square(const Array& x);
Array exp(const Array& x);
Array exp2(const Array& x);
Array expm1(const Array& x);
Array log(const Array& x);
Array log2(const Array& x);
Array log10(const Array& x);
Array log1p(const Array& x);
Array sin(const Array& x);
Array cos(const Array& x);
Array tan(const Array& x);
Array asin(const Array& x);
Array acos(const Array& x);
Array atan(const Array& x);
Array sinh(const Array& x);
Array cosh(const Array& x);
Array tanh(const Array& x);
Array asinh(const Array& x);
Array acosh(const Array& x);
Array atanh(const Array& x);
Array erf(const Array& x);
Array erfc(const Array& x);
Array erfinv(const Array& x);
Array lgamma(const Array& x);
Array digamma(const Array& x);
Array isnan(const Array& x);
Array isinf(const Array& x);
Array isfinite(const Array& x);
Array signbit(const Array& x);  // is the sign bit set; true for -0
Array logical_not(const Array& x);
Array bitwise_invert(const Array& x);

// ---- Activations ----------------------------------------------------------------------------------------------------

Array relu(const Array& x);                                      // max(x, 0); derivative 0 at 0
Array relu6(const Array& x);                                     // min(max(x, 0), 6)
Array leaky_relu(const Array& x, double negative_slope = 0.01);  // x > 0 ? x : negative_slope x
Array sigmoid(const Array& x);                                   // 1 / (1 + exp(-x))
Array hardsigmoid(const Array& x);                               // relu6(x + 3) / 6
Array log_sigmoid(const Array& x);                               // log(sigmoid(x))
Array softplus(const Array& x);                                  // log(1 + exp(x))
Array softsign(const Array& x);                                  // x / (1 + |x|)
Array gelu(const Array& x);                                      // x Phi(x), exact
Array gelu_tanh(const Array& x);                                 // the tanh approximation (Hendrycks & Gimpel 2016)
Array silu(const Array& x);                                      // x sigmoid(x)
Array mish(const Array& x);                                      // x tanh(softplus(x))
Array hardswish(const Array& x);                                 // x relu6(x + 3) / 6
Array elu(const Array& x, double alpha = 1.0);                   // x > 0 ? x : alpha (exp(x) - 1)
Array selu(const Array& x);                                      // Klambauer et al. 2017
Array celu(const Array& x, double alpha = 1.0);                  // x > 0 ? x : alpha (exp(x / alpha) - 1)
Array softmax(const Array& x, int axis = -1);                    // exp(x) over its sum along the axis
Array log_softmax(const Array& x, int axis = -1);                // log(softmax(x)), exact far from 0

// ---- Elementwise, two and three operands ----------------------------------------------------------------------------

Array operator+(const Array& x, const Array& y);
Array operator-(const Array& x, const Array& y);
Array operator*(const Array& x, const Array& y);
Array operator/(const Array& x, const Array& y);  // integers give float32
Array operator<(const Array& x, const Array& y);
Array operator<=(const Array& x, const Array& y);
Array operator>(const Array& x, const Array& y);
Array operator>=(const Array& x, const Array& y);
Array operator&(const Array& x, const Array& y);
Array operator|(const Array& x, const Array& y);
Array operator^(const Array& x, const Array& y);
Array add(const Array& x, const Array& y);
Array subtract(const Array& x, const Array& y);
Array multiply(const Array& x, const Array& y);
Array divide(const Array& x, const Array& y);
Array floor_divide(const Array& x, const Array& y);
Array remainder(const Array& x, const Array& y);
Array pow(const Array& x, const Array& y);
Array atan2(const Array& y, const Array& x);
Array hypot(const Array& x, const Array& y);
Array logaddexp(const Array& x, const Array& y);
Array maximum(const Array& x, const Array& y);  // the larger; NaN wins; where equal, each receives half of the gradient
Array minimum(const Array& x, const Array& y);
Array copysign(const Array& x, const Array& y);
Array nextafter(const Array& x, const Array& y);
Array equal(const Array& x, const Array& y);
Array not_equal(const Array& x, const Array& y);
Array less(const Array& x, const Array& y);
Array less_equal(const Array& x, const Array& y);
Array greater(const Array& x, const Array& y);
Array greater_equal(const Array& x, const Array& y);
Array logical_and(const Array& x, const Array& y);
Array logical_or(const Array& x, const Array& y);
Array logical_xor(const Array& x, const Array& y);
Array bitwise_and(const Array& x, const Array& y);
Array bitwise_or(const Array& x, const Array& y);
Array bitwise_xor(const Array& x, const Array& y);
Array bitwise_left_shift(const Array& x, const Array& y);
Array bitwise_right_shift(const Array& x, const Array& y);
/// condition ? x : y. Throws where condition is not bool.
Array where(const Array& condition, const Array& x, const Array& y);
/// x kept within the bounds; an absent one does not bound.
Array clip(const Array& x, const Array& low, const Array& high);
/// x y + z, rounded once. Integers are converted to float32.
Array fma(const Array& x, const Array& y, const Array& z);
/// x + t (y - x).
Array lerp(const Array& x, const Array& y, const Array& t);

// ---- Reductions -----------------------------------------------------------------------------------------------------

/// Which axes a reduction takes, and whether they stay as size 1. `Axes{}` is all axes; an int or a list names them.
struct Axes {
  Axes() = default;
  Axes(int axis) : list{axis}, all(false) {}  // NOLINT(google-explicit-constructor)
  Axes(std::initializer_list<int> axes) : list(axes), all(axes.size() == 0) {}
  Axes(std::vector<int> axes) : list(std::move(axes)), all(false) {}  // NOLINT(google-explicit-constructor)
  std::vector<int> list;
  bool all = true;
};

Array sum(const Array& x, const Axes& axes = {}, bool keepdims = false);   // bool, uint8, int32 sum in int64
Array mean(const Array& x, const Axes& axes = {}, bool keepdims = false);  // integers give float32
Array prod(const Array& x, const Axes& axes = {}, bool keepdims = false);  // bool, uint8, int32 multiply in int64
Array max(const Array& x, const Axes& axes = {}, bool keepdims = false);   // equal maxima share the gradient
Array min(const Array& x, const Axes& axes = {}, bool keepdims = false);   // equal minima share the gradient
/// Divides by n - correction; correction 1 gives the sample variance.
Array var(const Array& x, const Axes& axes = {}, double correction = 0, bool keepdims = false);
/// The square root of var.
Array std(const Array& x, const Axes& axes = {}, double correction = 0, bool keepdims = false);
Array any(const Array& x, const Axes& axes = {}, bool keepdims = false);        // is one not zero
Array all(const Array& x, const Axes& axes = {}, bool keepdims = false);        // is none zero
Array logsumexp(const Array& x, const Axes& axes = {}, bool keepdims = false);  // log of the sum of exp(x)
/// The p-norm of the vectors along the axes: p = 2 (default), 1, infinity, or any p > 0.
Array norm(const Array& x, const Axes& axes = {}, double p = 2, bool keepdims = false);
/// int64; the first of equals, a NaN before everything. Without an axis: over the flattened array.
Array argmax(const Array& x, std::optional<int> axis = {}, bool keepdims = false);
Array argmin(const Array& x, std::optional<int> axis = {}, bool keepdims = false);
Array cumsum(const Array& x, int axis);
Array cumprod(const Array& x, int axis);
Array cummax(const Array& x, int axis);
Array cummin(const Array& x, int axis);

// ---- Movement -------------------------------------------------------------------------------------------------------

/// One size may be -1 and is worked out. Throws where the sizes do not multiply to the same number.
Array reshape(const Array& x, const Shape& shape);
Array flatten(const Array& x, int first = 0, int last = -1);  // axes first to last as one
Array squeeze(const Array& x, const Axes& axes = {});         // without axes of size 1
Array expand_dims(const Array& x, int axis);                  // with an axis of size 1 more
Array permute(const Array& x, const std::vector<int>& order);
/// Swaps the last two axes.
Array transpose(const Array& x);
Array swapaxes(const Array& x, int a, int b);      // axes a and b exchanged
Array moveaxis(const Array& x, int from, int to);  // axis `from` at place `to`
Array broadcast_to(const Array& x, const Shape& shape);
Arrays broadcast_arrays(const Arrays& arrays);  // all of one shape
Array concat(const Arrays& arrays, int axis = 0);
Array stack(const Arrays& arrays, int axis = 0);  // arrays of one shape along a new axis
Arrays unstack(const Array& x, int axis = 0);     // the slices along an axis
/// Into equal parts, or at the given positions.
Arrays split(const Array& x, int parts, int axis = 0);
Arrays split(const Array& x, const std::vector<std::int64_t>& positions, int axis = 0);  // parts that begin there
/// `widths[d]` elements of `value` before and after axis d.
Array pad(const Array& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, const Array& value = 0);
Array flip(const Array& x, const Axes& axes = {});                     // the other way round along the axes
Array roll(const Array& x, std::int64_t shift, int axis);              // element i moves to i + shift, around the end
Array tile(const Array& x, const std::vector<std::int64_t>& repeats);  // the whole repeated along every axis
Array repeat(const Array& x, std::int64_t repeats, int axis);          // each element repeated

/// A part of an axis, as start:stop:step in Python; absent ends reach to the border; step may be negative, not 0.
struct Slice {
  std::optional<std::int64_t> start, stop;
  std::int64_t step = 1;
};
struct NewAxis {};
struct Ellipsis {};
inline constexpr NewAxis newaxis{};
inline constexpr Ellipsis ellipsis{};
/// One entry of an index: a position (drops the axis), a slice, newaxis or ellipsis.
using Index = std::variant<std::int64_t, Slice, NewAxis, Ellipsis>;
/// x[...] with basic indexing; a view where possible. Throws where a position is out of range.
Array index(const Array& x, const std::vector<Index>& indices);
/// Elements start, start + step, ... before stop along every axis; negative steps allowed. The general form behind
/// index.
Array slice(const Array& x, const Shape& start, const Shape& stop, const Shape& step);
Array slice(const Array& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);

// ---- Contraction ----------------------------------------------------------------------------------------------------

/// (..., m, k) x (..., k, n) -> (..., m, n), batch axes broadcast; a vector on either side is a row or column whose
/// axis is dropped from the result. bfloat16 accumulates in float32.
Array matmul(const Array& x, const Array& y);
/// `linear(x, w, b)` = matmul(x, w) + b for x (..., k), w (k, n), b (n) or absent.
Array linear(const Array& x, const Array& w, const Array& b = {});
/// Sums over the last `axes` axes of x and the first `axes` of y.
Array tensordot(const Array& x, const Array& y, int axes = 2);
/// Sums over x_axes of x and y_axes of y, in pairs.
Array tensordot(const Array& x, const Array& y, const std::vector<int>& x_axes, const std::vector<int>& y_axes);
Array outer(const Array& x, const Array& y);                  // (m), (n) -> (m, n): x_i y_j
Array vecdot(const Array& x, const Array& y, int axis = -1);  // the sum of x y along an axis
/// NumPy's notation ("bij,bjk->bik"), with or without "->", with "..."; any number of operands, contracted left to
/// right.
Array einsum(const std::string& equation, const Arrays& operands);

// ---- Indexing, order ------------------------------------------------------------------------------------------------
// Index arrays are int32 or int64; negative ones count from the end; one out of range throws when it is evaluated.

/// x with axis replaced by the axes of `indices`: x[:, indices, :].
Array take(const Array& x, const Array& indices, int axis = 0);
/// y[i, j] = x[indices[i, j], j] (axis 0): indices have x's rank.
Array take_along_axis(const Array& x, const Array& indices, int axis);
/// x[indices[0], indices[1], ...]: one index array for each leading axis, broadcast together.
Array gather(const Array& x, const Arrays& indices);
/// x with updates[..., i, ...] added at position indices[i] of `axis`; equal indices add up, in order.
Array scatter_add(const Array& x, const Array& indices, const Array& updates, int axis = 0);
Array scatter_add_along_axis(const Array& x, const Array& indices, const Array& updates, int axis);
/// `value` where mask, else x.
Array masked_fill(const Array& x, const Array& mask, const Array& value);
/// (..., ) -> (..., classes); a row of zeros where the index is out of range.
Array one_hot(const Array& indices, std::int64_t classes, DType dtype = float32);
Array sort(const Array& x, int axis = -1, bool descending = false);  // stable, NaN last
Array argsort(const Array& x, int axis = -1, bool descending = false);
struct TopK {
  Array values, indices;
};
/// The k largest along an axis, in descending order.
TopK topk(const Array& x, std::int64_t k, int axis = -1);
/// Positions in ascending `sorted` (n) before which each of `values` would keep the order; int64.
Array searchsorted(const Array& sorted, const Array& values, bool right = false);
/// The indices of elements that are not zero, one int64 vector for each axis. Evaluates x.
Arrays nonzero(const Array& x);

// ---- Control and rules ----------------------------------------------------------------------------------------------

/// x, through which no derivative flows.
Array stop_gradient(const Array& x);

/// One step of a scan: (carry, slice of xs) -> (carry, slice of ys).
struct ScanStep {
  Arrays carry, ys;
};
/// Runs `body` once for each position t of the leading axis of `xs` (or `length` times without xs), passing the carry
/// on. Returns the last carry, and the ys of all steps stacked along a new leading axis. The body is traced once;
/// arrays that it captures are constants of the loop. Carries must keep their shapes and types.
ScanStep scan(const std::function<ScanStep(const Arrays& carry, const Arrays& x)>& body, const Arrays& carry,
              const Arrays& xs, std::int64_t length = -1, bool reverse = false);

/// A function with rules of its own. `vjp` (inputs, outputs, cotangents of the outputs -> cotangents of the inputs; an
/// undefined Array for none) replaces differentiation of `forward`; `batch`, where given, replaces its batching:
/// (inputs with a leading batch axis where batched[i]) -> outputs, all with a leading batch axis.
struct CustomRules {
  std::function<Arrays(const Arrays& inputs, const Arrays& outputs, const Arrays& cotangents)> vjp;
  std::function<Arrays(const Arrays& inputs, const std::vector<bool>& batched)> batch;
};
std::function<Arrays(const Arrays&)> custom(std::function<Arrays(const Arrays&)> forward, CustomRules rules);

}  // namespace pellucid
