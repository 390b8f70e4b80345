// What primitives say of operands that the public functions never give them: rules of batching, derivatives and the
// graph's passes make nodes too, and a fault there must end in a message, not in a kernel. And what arrays themselves
// throw.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "array/node.h"
#include "ops/record.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"
#include "support/message.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A refused allocation is what one test is about; the sanitizers would end the program there.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace pellucid {
namespace {

// The message of the primitive for these operands holds each part.
void expect_refused(std::string_view record, const Arrays& inputs, const Attributes& attributes,
                    std::initializer_list<const char*> parts) {
  const ops::Record* found = ops::find_record(record);
  ASSERT_NE(found, nullptr) << record;
  const std::string message = message_of([&] { ops::make(*found, inputs, attributes); });
  EXPECT_EQ(message.find(record), 0u) << message;
  for (const char* part : parts) EXPECT_PRED2(contains, message, part);
}

Attributes with_shape(Shape shape, std::int64_t integer = 0) {
  Attributes attributes;
  attributes.shape = std::move(shape);
  attributes.integer = integer;
  return attributes;
}

Attributes with_axis(std::int64_t axis) { return with_shape({}, axis); }

// One spatial axis, stride 1, no padding.
Attributes geometry(std::int64_t groups, Shape result = {}) {
  Attributes attributes;
  attributes.axes = {1};
  attributes.steps = {0, 0, 1};
  attributes.integer = groups;
  attributes.shape = std::move(result);
  return attributes;
}

Array integers(Shape shape) { return zeros(shape, int64); }

TEST(RecordErrors, Maps) {
  expect_refused("add", {zeros({2}), zeros({3})}, {}, {"[2] and [3]", "operands of a primitive have one shape"});
  expect_refused("where", {zeros({2}), zeros({2}), zeros({2})}, {}, {"the condition is float32", "bool"});
}

TEST(RecordErrors, Movement) {
  expect_refused("reshape", {zeros({2, 3})}, with_shape({4}), {"[2, 3] to [4]", "6 and 4 elements differ"});
  expect_refused("broadcast_to", {zeros({2})}, with_shape({3}), {"[2] to [3]", "equal or 1"});
  expect_refused("concat", {zeros({2, 3}), zeros({2, 4})}, with_axis(0), {"[2, 3] and [2, 4]", "another axis than 0"});
}

TEST(RecordErrors, Contractions) {
  expect_refused("contract", {zeros({2, 3}), zeros({4, 2})}, {}, {"[2, 3] x [4, 2]", "(..., m, k) x (..., k, n)"});
  expect_refused("contract", {zeros({2, 3}, uint8), zeros({3, 2}, uint8)}, {}, {"not defined for uint8", "astype"});
}

TEST(RecordErrors, Convolutions) {
  const Array x = zeros({2, 8, 4}), w = zeros({3, 4, 6}), g = zeros({2, 6, 6});
  expect_refused("convolve", {x, zeros({3, 4, 6}, float64)}, geometry(1), {"operands of float32 and float64"});
  expect_refused("convolve", {x, zeros({4, 6})}, geometry(1), {"[2, 8, 4] and [4, 6]", "1 spatial axes"});
  expect_refused("convolve_input", {zeros({2, 6, 5}), w}, geometry(1, {8}), {"has 5 channels", "gives 6 in 1 groups"});
  expect_refused("convolve_input", {g, w}, geometry(1, {9}), {"to 7 positions along spatial axis 0, not to 6"});
  expect_refused("convolve_weight", {x, zeros({3, 6, 6})}, geometry(1, {3}), {"x [2, 8, 4] and g [3, 6, 6]"});
}

TEST(RecordErrors, Attention) {
  const Array q = zeros({1, 2, 3, 4});
  expect_refused("attention", {q, q, zeros({1, 3, 3, 4})}, {}, {"(b, s, g, d) and (b, s, g, e)"});
  expect_refused("attention", {q, q, q, zeros({1, 3, 2, 5})}, {}, {"mask [1, 3, 2, 5]", "t or 1, s or 1"});
}

TEST(RecordErrors, Indexing) {
  const Array x = zeros({4, 3});
  expect_refused("scatter_add", {x, integers({2}), zeros({2, 4})}, with_axis(0), {"updates of shape [2, 4]", "[2, 3]"});
  expect_refused("take_along_axis", {x, integers({2, 2})}, with_axis(0), {"[2, 2] for axis 0 of [4, 3]", "equal"});
  expect_refused("scatter_add_along_axis", {x, integers({2, 3}), zeros({1, 3})}, with_axis(0),
                 {"updates [1, 3] and indices [2, 3] must have one shape"});
  expect_refused("searchsorted", {x, zeros({2})}, {}, {"the sorted array has shape [4, 3]", "vector"});
  expect_refused("argmax", {zeros({2, 0})}, {}, {"[2, 0] has size 0", "no extremum"});
}

TEST(RecordErrors, Random) {
  expect_refused("random_fold", {zeros({2}), integers({})}, {}, {"a key is int64", "not float32 of shape [2]"});
  expect_refused("random_fold", {integers({3, 2}), integers({2})}, {}, {"key [3, 2] and data [2]"});
}

TEST(RecordErrors, Operations) {
  EXPECT_PRED2(contains, message_of([] { permute(zeros({2, 3}), {0}); }), "permute: 1 axes are named for shape [2, 3]");
  EXPECT_PRED2(contains, message_of([] { concat({}); }), "concat: the list of arrays is empty");
  EXPECT_PRED2(contains, message_of([] { max(zeros({2, 0}), 1); }), "max: axis 1 of shape [2, 0] has size 0");
}

TEST(RecordErrors, Transforms) {
  const Function twice = [](const Arrays& x) { return Arrays{x[0] + x[0]}; };
  EXPECT_PRED2(contains, message_of([&] { jvp(twice, {zeros({2})}, {}); }), "jvp: 0 tangents for 1 arguments");
  EXPECT_PRED2(contains, message_of([&] { jvp(twice, {zeros({2})}, {zeros({3})}); }),
               "jvp: tangent 0 has shape [3]; the argument's is [2]");
  const auto one = grad([](const Array& x) { return sum(x); });
  EXPECT_PRED2(contains, message_of([&] { one({zeros({2}), zeros({2})}); }), "cannot be called with 2 arguments");
}

TEST(ArrayErrors, NameWhatIsWrong) {
  EXPECT_PRED2(contains, message_of([] { Array().shape(); }), "array: this Array holds nothing");
  EXPECT_PRED2(contains, message_of([] { evaluate(Arrays{Array()}); }), "evaluate: an array is undefined");
  EXPECT_PRED2(contains, message_of([] {
                 zeros({2, 3}).size(2);
               }),
               "size: axis 2 is out of range for an array of shape [2, 3]; axes run from -2 to 1");
  EXPECT_PRED2(contains, message_of([] {
                 Array::from(std::vector<float>{1, 2, 3}, {2, 2});
               }),
               "array: 3 values do not fill the shape [2, 2], which has 4 elements");
  EXPECT_PRED2(contains, message_of([] { Array{{1, 2}, {3}}; }), "array: lists of lengths 2 and 1 stand side by side");
  EXPECT_PRED2(contains, message_of([] { Array{{1, 2}, 3}; }), "array: a number stands beside a list");
  EXPECT_PRED2(contains, message_of([] { zeros({2}).data<std::int64_t>(); }), "data: the array is float32, not int64");
  EXPECT_PRED2(contains, message_of([] { zeros({2}).item<float>(); }), "item: an array of shape [2] has 2 elements");
  // More than an address can name.
  EXPECT_PRED2(contains, message_of([] { (zeros({std::int64_t{1} << 58}) + 1).evaluate(); }),
               "bytes cannot be allocated; smaller layers or batches need less");
}

}  // namespace
}  // namespace pellucid
