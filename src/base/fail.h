// How the library reports an error: fail("matmul: {} x {}: inner sizes {} and {} differ", a, b, m, n).
// Formatting stands in fail.cpp, so that including this costs nearly nothing.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "pellucid/error.h"

namespace pellucid::base {

/// One value to be put into a text: a number, a string, a contiguous run of int64 such as a shape (printed as [2, 3]),
/// anything that has a name_of() giving a string_view, a to_string() giving a string, or a member string() (a path).
/// Views are not kept beyond the call.
struct FormatArg {
  enum class Kind { kInt, kUnsigned, kFloat, kDouble, kText, kInts };
  Kind kind;
  std::int64_t number = 0;
  double real = 0;
  const void* data = nullptr;  // of kText and kInts
  std::size_t size = 0;
};

namespace detail {

[[noreturn]] void fail_with(std::string_view format, const FormatArg* args, std::size_t count);
std::string format_with(std::string_view format, const FormatArg* args, std::size_t count);

template <class T>
concept Int64Run = requires(const T& x) {
  { x.data() } -> std::convertible_to<const std::int64_t*>;
  { x.size() } -> std::convertible_to<std::size_t>;
};

/// A value that FormatArg can view: x itself, or the text made from it, which lives to the end of the call.
template <class T>
decltype(auto) printable(const T& x) {
  if constexpr (std::is_arithmetic_v<T> || std::convertible_to<const T&, std::string_view> || Int64Run<T>) {
    return (x);
  } else if constexpr (requires { std::string_view(name_of(x)); }) {
    return std::string(name_of(x));
  } else if constexpr (requires { std::string(to_string(x)); }) {
    return std::string(to_string(x));
  } else {
    return std::string(x.string());
  }
}

template <class T>
FormatArg arg(const T& x) {
  if constexpr (std::same_as<T, bool>) {
    const std::string_view text = x ? "true" : "false";
    return {.kind = FormatArg::Kind::kText, .data = text.data(), .size = text.size()};
  } else if constexpr (std::same_as<T, char>) {
    return {.kind = FormatArg::Kind::kText, .data = &x, .size = 1};
  } else if constexpr (std::is_floating_point_v<T>) {
    return {.kind = std::same_as<T, float> ? FormatArg::Kind::kFloat : FormatArg::Kind::kDouble,
            .real = static_cast<double>(x)};
  } else if constexpr (std::unsigned_integral<T>) {
    return {.kind = FormatArg::Kind::kUnsigned, .number = static_cast<std::int64_t>(x)};
  } else if constexpr (std::integral<T>) {
    return {.kind = FormatArg::Kind::kInt, .number = static_cast<std::int64_t>(x)};
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    const std::string_view text = x;
    return {.kind = FormatArg::Kind::kText, .data = text.data(), .size = text.size()};
  } else {
    return {.kind = FormatArg::Kind::kInts, .data = x.data(), .size = x.size()};
  }
}

template <class... Printables>
[[noreturn]] void fail_printed(std::string_view format, const Printables&... args) {
  const FormatArg list[] = {arg(args)..., FormatArg{FormatArg::Kind::kInt}};
  fail_with(format, list, sizeof...(args));
}

template <class... Printables>
std::string format_printed(std::string_view format, const Printables&... args) {
  const FormatArg list[] = {arg(args)..., FormatArg{FormatArg::Kind::kInt}};
  return format_with(format, list, sizeof...(args));
}

}  // namespace detail

/// Throws Error with the text of `format`, in which each {} stands for the next argument ({:.3g} and so on as in fmt;
/// {{ and }} are braces).
template <class... Args>
[[noreturn]] void fail(std::string_view format, const Args&... args) {
  detail::fail_printed(format, detail::printable(args)...);
}

/// The text of `format`, by the same rules.
template <class... Args>
std::string format(std::string_view format, const Args&... args) {
  return detail::format_printed(format, detail::printable(args)...);
}

/// x; where it is NaN, one without the sign that a processor's 0/0 has and that would be printed as "-nan".
double without_sign_of_nan(double x);

/// What the operating system's error number means: "No space left on device".
std::string errno_text(int error);

}  // namespace pellucid::base
