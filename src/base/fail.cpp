// The formatting behind fail() and format().
#include "base/fail.h"

#include <fmt/args.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <span>
#include <system_error>

namespace pellucid::base {
namespace {

std::string ints_text(const FormatArg& arg) {
  const std::span<const std::int64_t> ints(static_cast<const std::int64_t*>(arg.data), arg.size);
  return fmt::format("[{}]", fmt::join(ints, ", "));
}

}  // namespace

double without_sign_of_nan(double x) { return std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x; }

std::string detail::format_with(std::string_view format, const FormatArg* args, std::size_t count) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const FormatArg& arg : std::span(args, count)) {
    switch (arg.kind) {
      case FormatArg::Kind::kInt:
        store.push_back(arg.number);
        break;
      case FormatArg::Kind::kUnsigned:
        store.push_back(static_cast<std::uint64_t>(arg.number));
        break;
      case FormatArg::Kind::kFloat:
        store.push_back(static_cast<float>(without_sign_of_nan(arg.real)));
        break;
      case FormatArg::Kind::kDouble:
        store.push_back(without_sign_of_nan(arg.real));
        break;
      case FormatArg::Kind::kText:
        store.push_back(std::string(static_cast<const char*>(arg.data), arg.size));
        break;
      case FormatArg::Kind::kInts:
        store.push_back(ints_text(arg));
        break;
    }
  }
  try {
    return fmt::vformat(format, store);
  } catch (const fmt::format_error&) {  // a mistake in the format must not hide the error that it was to report
    return std::string(format);
  }
}

void detail::fail_with(std::string_view format, const FormatArg* args, std::size_t count) {
  throw Error(format_with(format, args, count));
}

std::string errno_text(int error) { return std::generic_category().message(error); }

}  // namespace pellucid::base
