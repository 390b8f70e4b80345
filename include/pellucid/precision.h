// The precision of contractions and convolutions: float32, or bfloat16 with float32 sums.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <utility>

namespace pellucid {

/// How contractions, convolutions and attention over float32 arrays take their operands. In kBFloat16 each operand is
/// rounded to the nearest bfloat16 (8 bits of precision, the range of float32; ties to even) and products are summed in
/// float32; the result is float32. All else (parameters, normalisation, reductions, losses, the optimiser) stays in
/// float32, so that no scaling of the loss is needed (Kalamkar et al. 2019). Derivatives of such an operation take
/// operands in the same way; rounding itself has the derivative 1. Arrays of other types are not touched.
enum class Precision : std::uint8_t { kFloat32, kBFloat16 };

/// "float32", "bfloat16".
std::string_view name_of(Precision precision);
/// Throws Error for another name.
Precision precision_by_name(std::string_view name);

/// While one exists, operations called on this thread have this precision; derivatives keep what their operation had,
/// wherever they are taken. compile traces anew for a call in another precision. The innermost counts; without one:
/// float32.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;
  static Precision current();

 private:
  Precision outer_;
};

/// A function that calls another one in a precision.
template <class F>
struct InPrecision {
  F f;
  Precision precision;
  template <class... A>
  requires std::invocable<const F&, const A&...>
  auto operator()(const A&... x) const {
    const PrecisionScope scope(precision);
    return f(x...);
  }
};
/// f, called in this precision: with_precision(Precision::kBFloat16, loss).
template <class F>
InPrecision<F> with_precision(Precision precision, F f) {
  return {std::move(f), precision};
}

}  // namespace pellucid
