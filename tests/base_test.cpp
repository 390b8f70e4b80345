// Error texts and environment variables.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/fail.h"
#include "pellucid/dtype.h"
#include "pellucid/version.h"

namespace pellucid::base {
namespace {

struct Printed {
  friend std::string to_string(const Printed&) { return "printed"; }
};

TEST(Fail, ThrowsErrorWithTheText) {
  const std::vector<std::int64_t> a = {32, 784};
  try {
    fail("matmul: {} x {}: inner sizes {} and {} differ", a, std::array<std::int64_t, 2>{256, 128}, a[1], 256);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "matmul: [32, 784] x [256, 128]: inner sizes 784 and 256 differ");
  }
}

TEST(Fail, PrintsEachKindOfValue) {
  EXPECT_EQ(format("{} {} {}", true, 'x', std::uint64_t{1} << 63), "true x 9223372036854775808");
  EXPECT_EQ(format("{} {:.2f} {}", -7, 2.5, 0.1F), "-7 2.50 0.1");
  EXPECT_EQ(format("{}, {}, {}", "literal", std::string("string"), std::string_view("view")), "literal, string, view");
  EXPECT_EQ(format("{} {}", DType::kFloat32, Printed()), "float32 printed");
  EXPECT_EQ(format("{}", std::filesystem::path("/a/b")), "/a/b");
  EXPECT_EQ(format("{}", std::vector<std::int64_t>()), "[]");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(format("{} {:.3g} {}", -nan, nan, static_cast<float>(-nan)), "nan nan nan");
  EXPECT_EQ(format("{{}} without arguments"), "{} without arguments");
}

TEST(Fail, KeepsTheTextWhereTheFormatIsWrong) {
  EXPECT_EQ(format("two {} of {}", 1), "two {} of {}");
  EXPECT_EQ(format("{:d}", "text"), "{:d}");
}

TEST(Fail, NamesTheErrorsOfTheSystem) { EXPECT_EQ(errno_text(ENOSPC), "No space left on device"); }

TEST(Environment, TellsUnsetAndEmptyFromText) {
  unsetenv("PELLUCID_TEST");
  EXPECT_EQ(environment("PELLUCID_TEST"), std::nullopt);
  EXPECT_EQ(environment_int("PELLUCID_TEST", 0, 9), std::nullopt);
  EXPECT_TRUE(environment_list("PELLUCID_TEST").empty());
  setenv("PELLUCID_TEST", "", 1);
  EXPECT_EQ(environment("PELLUCID_TEST"), std::nullopt);
  setenv("PELLUCID_TEST", "text", 1);
  EXPECT_EQ(environment("PELLUCID_TEST"), "text");
}

TEST(Environment, ReadsNumbersWithinTheirBounds) {
  for (const char* good : {"-3", "0", "12"}) {
    setenv("PELLUCID_TEST", good, 1);
    EXPECT_EQ(environment_int("PELLUCID_TEST", -3, 12), std::stoi(good));
  }
  for (const std::string bad : {"-4", "13", "1.5", "x", "12 ", " 12", "99999999999999999999"}) {
    setenv("PELLUCID_TEST", bad.c_str(), 1);
    try {
      environment_int("PELLUCID_TEST", -3, 12);
      ADD_FAILURE() << bad << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "environment variable PELLUCID_TEST='" + bad + "': want a whole number from -3 to 12");
    }
  }
}

TEST(Environment, SplitsLists) {
  setenv("PELLUCID_TEST", " fuse, cse,,\tplace a , ", 1);
  EXPECT_EQ(environment_list("PELLUCID_TEST"), (std::vector<std::string>{"fuse", "cse", "place a"}));
}

TEST(Version, IsThreeNumbers) { EXPECT_STREQ(version(), "0.1.0"); }

}  // namespace
}  // namespace pellucid::base
