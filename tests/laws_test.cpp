// The laws that every record keeps, for each of its types and layouts: the value of a float64 reference and the shape
// that was inferred. laws_gradient_test.cpp has the laws of differentiation and batching, laws_bits_test.cpp that of
// the same bits. Each prints how many cases it tried, and what it left out and why.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include <fmt/format.h>

#include "pellucid/ops.h"
#include "support/laws.h"
#include "support/left_out.h"
#include "support/public_maps.h"

namespace pellucid::laws {
namespace {

std::string describe(const Case& c, DType dtype, const char* what = "") {
  return fmt::format("{} {} {} {}", c.record, c.label, pellucid::name_of(dtype), what);
}

/// Layouts that a record cannot have, and why.
const std::map<std::string, std::string>& layouts_absent() {
  static const std::map<std::string, std::string> table = {
      {"iota transposed", "it has no operands"},
      {"iota broadcast", "it has no operands"},
      {"iota scalar", "its result is a vector"},
      {"argmax scalar", "it needs an axis"},
      {"argmin scalar", "it needs an axis"},
      {"argsort scalar", "it needs an axis"},
      {"attention scalar", "it needs four axes"},
      {"attention_gradient scalar", "it needs four axes"},
      {"concat scalar", "it needs an axis"},
      {"contract scalar", "it needs two axes"},
      {"convolve scalar", "it needs three axes"},
      {"convolve_input scalar", "it needs three axes"},
      {"convolve_weight scalar", "it needs three axes"},
      {"cummax scalar", "it needs an axis"},
      {"cummin scalar", "it needs an axis"},
      {"cumprod scalar", "it needs an axis"},
      {"cumsum scalar", "it needs an axis"},
      {"scatter_add_along_axis scalar", "it needs an axis"},
      {"split scalar", "it needs an axis"},
      {"take_along_axis scalar", "it needs an axis"},
      {"weighted_waves scalar", "it needs two axes"},
      {"window_max scalar", "it needs two axes"},
      {"window_put scalar", "it needs two axes"},
      {"window_spread scalar", "it needs two axes"},
      {"window_sum scalar", "it needs two axes"},
      {"window_take scalar", "it needs two axes"},
  };
  return table;
}

TEST(Laws, EveryRecordGivesItsReferencesValuesInEveryTypeAndLayout) {
  std::map<std::string, std::set<DType>> types_seen;
  std::map<std::string, std::set<Layout>> layouts_seen;
  int count = 0, results = 0;
  LeftOut left_out;
  for (const Case& c : cases()) {
    if (!c.composed) {
      ASSERT_NE(ops::find_record(c.record), nullptr) << "a case for '" << c.record << "', which is no record";
    }
    if (c.large) continue;
    for (DType dtype : types_of(c)) {
      for (Layout layout : kLayouts) {
        const bool shape_of_its_own = layout == Layout::kEmpty || layout == Layout::kScalar;
        if (shape_of_its_own && !c.any_shape) {
          left_out.add(
              "empty and scalar operands of cases of fixed shapes; each record has cases of its own for these");
          continue;
        }
        if (c.operands.empty() && layout != Layout::kContiguous) {
          left_out.add("layouts where there are no operands");
          continue;
        }
        const std::vector<Tensor> x = draw_operands(c, dtype, layout, 1);
        const std::vector<Expected> expected = c.reference(x);
        const Arrays y = c.make(to_arrays(x, layout));
        ASSERT_EQ(y.size() >= expected.size(), true) << describe(c, dtype);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_EQ(y[i].shape(), expected[i].y.shape) << "inferred: " << describe(c, dtype, name_of(layout));
          EXPECT_EQ(compare(expected[i], y[i]), "") << describe(c, dtype, name_of(layout));
          ++results;
        }
        ++count;
        types_seen[c.record].insert(dtype);
        layouts_seen[c.record].insert(layout == Layout::kContiguous ? c.covers : layout);
      }
    }
  }
  // Nothing is left out without being named.
  int absent = 0;
  for (const ops::Record* record : ops::all_records()) {
    const std::string name(record->name);
    std::vector<DType> types = record->dtypes;
    if (types.empty()) types.assign(kAllDTypes.begin(), kAllDTypes.end());
    for (DType dtype : types) {
      EXPECT_EQ(types_seen[name].count(dtype), 1U)
          << name << " has no case for " << pellucid::name_of(dtype) << "; add one to tests/support";
    }
    for (Layout layout : kLayouts) {
      if (layouts_seen[name].count(layout) != 0) continue;
      const auto found = layouts_absent().find(name + " " + name_of(layout));
      if (found == layouts_absent().end()) {
        ADD_FAILURE() << name << " has no case with layout '" << name_of(layout) << "'; add one to tests/support";
      } else {
        ++absent;
      }
    }
  }
  std::printf("values and shapes: %d cases (%d results) of %zu records; %d layouts cannot be, as the table says\n",
              count, results, ops::all_records().size(), absent);
  left_out.print();
}

TEST(Laws, LongArraysHaveTheReferencesValues) {
  int count = 0;
  LeftOut left_out;
  for (const Case& c : cases()) {
    if (!c.large) continue;
    if (record_of(c).kind == ops::Kind::kMap) {
      left_out.add("long arrays of maps, which are dear in long double: map_test checks all of them");
      continue;
    }
    for (DType dtype : types_of(c)) {
      const std::vector<Tensor> x = draw_operands(c, dtype, Layout::kContiguous, 1);
      const std::vector<Expected> expected = c.reference(x);
      for (Layout layout : {Layout::kContiguous, Layout::kTransposed}) {
        const Arrays y = c.make(to_arrays(x, layout));
        for (std::size_t i = 0; i < expected.size(); ++i)
          EXPECT_EQ(compare(expected[i], y[i]), "") << describe(c, dtype, name_of(layout));
        ++count;
      }
    }
  }
  std::printf("long arrays: %d cases\n", count);
  left_out.print();
}

// ---- Public functions of types that their records do not take -------------------------------------------------------

TEST(Laws, PublicMapsPromoteWhatTheirRecordsDoNotTake) {
  int count = 0, refused = 0;
  for (const PublicMap& map : public_maps()) {
    const auto found =
        std::find_if(cases().begin(), cases().end(), [&](const Case& c) { return c.record == map.name && !c.large; });
    ASSERT_NE(found, cases().end()) << map.name;
    const Case& c = *found;
    const std::vector<DType> own = types_of(c);
    const auto takes = [&](DType dtype) { return std::find(own.begin(), own.end(), dtype) != own.end(); };
    for (DType dtype : kAllDTypes) {
      SCOPED_TRACE(describe(c, dtype));
      const std::vector<Tensor> x = draw_operands(c, dtype, Layout::kContiguous, 12);
      const Arrays operands = to_arrays(x);
      const auto call = [&] { return map.one != nullptr ? map.one(operands[0]) : map.two(operands[0], operands[1]); };
      ++count;
      const bool narrow = dtype == bfloat16 && takes(float32);
      if (!takes(dtype) && !narrow && map.promotion == Promotion::kRefuse &&
          !(map.name == "bitwise_invert" && dtype == bool_)) {
        EXPECT_THROW(call(), Error);
        ++refused;
        continue;
      }
      std::vector<Tensor> converted = x;
      for (Tensor& t : converted) {
        if (takes(dtype)) continue;
        t.dtype = map.promotion == Promotion::kTruth             ? bool_
                  : map.promotion == Promotion::kKeep && !narrow ? dtype
                                                                 : float32;
        for (Real& v : t.values) v = rounded(v, t.dtype);
      }
      std::vector<Expected> expected;
      if (map.name == "bitwise_invert" && dtype == bool_) {
        expected = {{x[0], {}}};
        for (Real& v : expected[0].y.values) v = 1 - v;
      } else if (!takes(dtype) && map.promotion == Promotion::kKeep && !narrow) {
        expected = {{x[0], {}}};
      } else {
        expected = c.reference(converted);
      }
      if (narrow && expected[0].y.dtype == float32) {
        expected[0].y.dtype = bfloat16;
        expected[0].slack.resize(expected[0].y.values.size(), 0);
        for (std::size_t i = 0; i < expected[0].slack.size(); ++i)
          expected[0].slack[i] += 1.01L * unit_of(bfloat16) * fabsl(expected[0].y.values[i]);
      }
      EXPECT_EQ(compare(expected[0], call()), "");
    }
  }
  std::printf("public functions and types: %d, %d of them refused\n", count, refused);
}

// ---- Special values -------------------------------------------------------------------------------------------------

std::vector<Real> special_values(DType dtype) {
  const bool narrow = dtype == float32;
  const Real least = narrow ? 0x1p-149L : 0x1p-1074L, small = narrow ? 0x1.8p-130L : 0x1.8p-1030L;
  const Real most = narrow ? 0x1.fffffep127L : 0x1.fffffffffffffp1023L, normal = narrow ? 0x1p-126L : 0x1p-1022L;
  std::vector<Real> list = {NAN,  INFINITY, -INFINITY, 0,     -0.0L, least, -least, small, -small, normal,
                            most, -most,    1,         -1.0L, 0.5L,  -2,    3,      -3,    1e10L,  -1e-10L};
  for (Real& v : list) v = rounded(v, dtype);
  return list;
}

TEST(Laws, SpecialValuesAreThoseOfTheReference) {
  int count = 0;
  LeftOut left_out;
  for (const Case& c : cases()) {
    const ops::Record& record = record_of(c);
    if (record.kind != ops::Kind::kMap || c.large) continue;
    for (DType dtype : {float32, float64}) {
      const std::vector<DType> types = types_of(c);
      if (std::find(types.begin(), types.end(), dtype) == types.end()) {
        left_out.add("maps without float32 or float64");
        continue;
      }
      const std::vector<Real> values = special_values(dtype);
      std::vector<Tensor> x = draw_operands(c, dtype, Layout::kContiguous, 1);
      std::size_t data = 0, n = 1;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (c.operands[i].role == Role::kData) n *= values.size();
      }
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i].shape = {static_cast<std::int64_t>(n)};
        x[i].values.clear();
        std::size_t pitch = 1;
        for (std::size_t k = 0; k < data; ++k) pitch *= values.size();
        for (std::size_t e = 0; e < n; ++e)
          x[i].values.push_back(c.operands[i].role == Role::kData ? values[e / pitch % values.size()]
                                                                  : static_cast<Real>(e % 2));
        if (c.operands[i].role == Role::kData) ++data;
      }
      const std::vector<Expected> expected = c.reference(x);
      const Arrays y = c.make(to_arrays(x));
      EXPECT_EQ(compare(expected[0], y[0]), "") << describe(c, dtype, "special values");
      count += static_cast<int>(n);
    }
  }
  // Reductions and orders: a NaN, infinities of both signs, zeros of both signs.
  const Array x = Array::from(std::vector<float>{1, NAN, 2, INFINITY, 1, -INFINITY, 5, INFINITY, 1, -0.0F, 0, -0.0F,
                                                 0x1p-149F, 0x1p-149F, -1, 3},
                              {4, 4});
  const auto row = [&](const Array& y, std::int64_t i) { return index(y, {i}).item<double>(); };
  EXPECT_TRUE(std::isnan(row(sum(x, 1), 0)));
  EXPECT_TRUE(std::isnan(row(sum(x, 1), 1)));
  EXPECT_EQ(row(sum(x, 1), 2), 1);
  EXPECT_TRUE(std::isnan(row(max(x, 1), 0)) && std::isnan(row(min(x, 1), 0)));
  EXPECT_EQ(row(max(x, 1), 1), INFINITY);
  EXPECT_EQ(row(min(x, 1), 1), -INFINITY);
  EXPECT_TRUE(std::signbit(row(min(x, 1), 2)));
  EXPECT_EQ(row(argmax(x, 1), 0), 1);
  EXPECT_EQ(row(argmin(x, 1), 0), 1);
  EXPECT_EQ(index(argsort(x, 1), {0, 3}).item<double>(), 1);
  EXPECT_TRUE(std::isnan(index(cumsum(x, 1), {0, 1}).item<double>()));
  EXPECT_TRUE(std::isnan(index(cummax(x, 1), {0, 3}).item<double>()));
  EXPECT_EQ(row(prod(x, 1), 3), -0x1p-149F * 3 * 0x1p-149F);
  EXPECT_EQ(index(sum(Array::from(std::vector<float>{0x1p-149F, 0x1p-149F}), 0), {}).item<double>(), 0x1p-148);
  std::printf("special values: %d combinations\n", count);
  left_out.print();
}

}  // namespace
}  // namespace pellucid::laws
