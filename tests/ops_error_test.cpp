// What composed operations and random arrays throw: each message names the operation, what is wrong and what is right.
#include <gtest/gtest.h>

#include <limits>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "support/message.h"

namespace pellucid {
namespace {

// Every part of `parts` stands in the message that f throws.
template <class F>
void expect_message(F f, std::initializer_list<const char*> parts) {
  const std::string message = message_of(f);
  for (const char* part : parts) EXPECT_PRED2(contains, message, part);
}

Array matrix() { return zeros({2, 3}); }
const double kInfinity = std::numeric_limits<double>::infinity();

TEST(OpsErrors, Creation) {
  expect_message([] { zeros({-1}); }, {"zeros: shape [-1]", "negative"});
  expect_message([] { ones({std::int64_t{1} << 33, std::int64_t{1} << 33}); }, {"ones: shape", "more elements"});
  expect_message([] { full({2}, matrix()); }, {"full: the value has shape [2, 3]", "scalar", "broadcast_to"});
  expect_message([] { full({2}, Array()); }, {"full: an operand is an undefined Array"});
  expect_message([] { arange(0, 1, 0, float32); }, {"arange: 0 to 1 in steps of 0", "not 0"});
  expect_message([] { arange(0, kInfinity, 1, float32); }, {"arange", "finite"});
  expect_message([] { arange(0.5, 3, 1, int64); }, {"arange: start 0.5", "whole numbers for int64", "float type"});
  expect_message([] { arange(0, 1e300, 1e-300, float32); }, {"arange", "too many elements"});
  expect_message([] { linspace(0, 1, 3, int32); }, {"linspace: int32", "float type"});
  expect_message([] { linspace(0, 1, -1); }, {"linspace: the count -1 is negative"});
  expect_message([] { linspace(0, kInfinity, 3); }, {"linspace", "finite"});
  expect_message([] { eye(-2); }, {"eye: sizes -2"});
  expect_message([] { tril(Array{1, 2}); }, {"tril: [2] has fewer than two axes"});
  expect_message([] { triu(Array(1)); }, {"triu: [] has fewer than two axes"});
  expect_message([] { diag(Array(1)); }, {"diag: a scalar has no diagonal"});
  expect_message([] { meshgrid({matrix()}); }, {"meshgrid: an operand has shape [2, 3]", "vectors"});
}

TEST(OpsErrors, ElementwiseAndReductions) {
  expect_message([] { elu(Array()); }, {"elu: an operand is an undefined Array"});
  expect_message([] { celu(matrix(), 0); }, {"celu: alpha is 0"});
  expect_message([] { softmax(matrix(), 2); }, {"softmax: axis 2 is out of range for shape [2, 3]", "-2 to 1"});
  expect_message([] { log_softmax(Array(1)); }, {"log_softmax: axis -1", "scalar"});
  expect_message([] { logsumexp(matrix(), {0, 0}); }, {"logsumexp: axis 0 is named twice"});
  expect_message([] { masked_fill(matrix(), matrix(), 0); }, {"masked_fill: the mask is float32", "bool"});
  expect_message([] { clip(matrix(), zeros({4}), Array()); }, {"shapes", "do not broadcast"});
  expect_message([] { norm(matrix(), {}, 0); }, {"norm: p is 0", "above 0"});
  expect_message([] { mean(matrix(), 5); }, {"mean: axis 5"});
  expect_message([] { var(matrix(), 5); }, {"var: axis 5"});
  expect_message([] { std(matrix(), 5); }, {"std: axis 5"});
  expect_message([] { any(matrix(), 5); }, {"any: axis 5"});
  expect_message([] { all(matrix(), 5); }, {"all: axis 5"});
}

TEST(OpsErrors, Movement) {
  expect_message([] { flatten(matrix(), 1, 0); }, {"flatten: axis 1 comes after axis 0 in [2, 3]"});
  expect_message([] { squeeze(matrix(), 0); }, {"squeeze: axis 0 of [2, 3] has size 2", "size 1"});
  expect_message([] { expand_dims(matrix(), 3); }, {"expand_dims: axis 3", "-3 to 2"});
  expect_message([] { transpose(Array{1, 2}); }, {"transpose: [2]", "two axes"});
  expect_message([] { swapaxes(matrix(), 0, 2); }, {"swapaxes: axis 2"});
  expect_message([] { moveaxis(matrix(), 3, 0); }, {"moveaxis: axis 3"});
  expect_message([] { broadcast_arrays({matrix(), zeros({2})}); }, {"broadcast_arrays", "[2, 3]", "[2]"});
  expect_message([] { stack({}); }, {"stack: the list of arrays is empty"});
  expect_message([] { stack({matrix(), zeros({2})}); }, {"stack: shapes [2, 3] and [2] differ"});
  expect_message([] { unstack(matrix(), 2); }, {"unstack: axis 2"});
  expect_message([] { split(matrix(), 2, 1); }, {"split: axis 1 of [2, 3] has size 3, which 2 parts", "positions"});
  expect_message([] { split(matrix(), std::vector<std::int64_t>{2, 1}, 1); }, {"split: positions [2, 1]", "ascend"});
  expect_message([] { pad(matrix(), {{1, 1}}); }, {"pad: 1 pairs", "[2, 3]"});
  expect_message([] { pad(matrix(), {{1, -1}, {0, 0}}); }, {"pad: widths 1 and -1 of axis 0", "slice"});
  expect_message([] { pad(matrix(), {{1, 1}, {0, 0}}, matrix()); }, {"pad: the value has shape [2, 3]", "scalar"});
  expect_message(
      [] {
        pad(matrix(), {{std::numeric_limits<std::int64_t>::max(), 1}, {0, 0}});
      },
      {"pad: widths", "addressed"});
  expect_message([] { roll(matrix(), 1, 4); }, {"roll: axis 4"});
  expect_message([] { tile(matrix(), {-1}); }, {"tile: -1 repetitions along axis 1"});
  expect_message([] { repeat(matrix(), std::numeric_limits<std::int64_t>::max(), 0); }, {"repeat", "addressed"});
  expect_message([] { flip(matrix(), 2); }, {"flip: axis 2"});
  expect_message([] { reshape(matrix(), {-1, -1}); }, {"reshape: [-1, -1] has more than one -1"});
  expect_message([] { reshape(matrix(), {4, -1}); }, {"reshape: [2, 3] to [4, -1]: 6 elements are no multiple of 4"});
  expect_message([] { slice(matrix(), Shape{0}, Shape{1}, Shape{1}); },
                 {"slice: start, stop and step need 2 entries", "[2, 3]"});
  expect_message([] { slice(matrix(), {0, 0}, {2, 3}, {1, 0}); }, {"slice: the step along axis 1 is 0"});
  expect_message([] { astype(Array(), float32); }, {"astype: the operand is an undefined Array"});
}

TEST(OpsErrors, Indexing) {
  expect_message(
      [] {
        index(matrix(), {0, 3});
      },
      {"index: position 3 is out of range for axis 1 of [2, 3]; its size is 3", "-3 to 2"});
  expect_message([] { index(zeros({0}), {0}); }, {"index: position 0 along axis 0 of [0]", "no elements"});
  expect_message([] { index(matrix(), {0, 0, 0}); }, {"index: 3 positions and slices", "[2, 3]", "2 axes"});
  expect_message([] { index(matrix(), {ellipsis, ellipsis}); }, {"index: 2 ellipses"});
  expect_message([] { index(matrix(), {Slice{0, 1, 0}}); }, {"index: the step of the slice of axis 0 is 0"});
  expect_message([] { slice(matrix(), 1, 0, 4); }, {"slice: 0 to 4", "axis 1 of [2, 3]"});
  expect_message([] { gather(matrix(), {}); }, {"gather: 0 index arrays for shape [2, 3]"});
  expect_message([] { gather(matrix(), {matrix()}); }, {"gather: indices are float32", "int32 or int64"});
  const Array zero = Array::from(std::vector<std::int64_t>{0, 0}), three = Array::from(std::vector<std::int64_t>{0, 3});
  expect_message(
      [&] {
        gather(matrix(), {zero, three}).evaluate();
      },
      {"gather: index 3 (element 1 of the indices) is out of range for axis 1 of size 3", "-3 to 2"});
  expect_message([] { one_hot(matrix(), 3); }, {"one_hot: indices are float32"});
  expect_message([&] { one_hot(zero, -1); }, {"one_hot: the number of classes is -1"});
  expect_message([] { topk(matrix(), 4); }, {"topk: k is 4", "from 0 to 3"});
  expect_message([] { sort(matrix(), 2); }, {"sort: axis 2"});
  expect_message([] { nonzero(Array(1)); }, {"nonzero: a scalar", "reshape"});
}

TEST(OpsErrors, Contractions) {
  expect_message([] { matmul(matrix(), Array(2.0F)); }, {"matmul: [2, 3] x []: a scalar", "multiply instead"});
  expect_message(
      [] {
        matmul(ones({2, 2}, bool_), ones({2, 2}, bool_));
      },
      {"matmul: is not defined for bool", "int32"});
  expect_message(
      [] {
        matmul(zeros({2, 4, 3}), zeros({5, 3, 4}));
      },
      {"matmul: [2, 4, 3] x [5, 3, 4]: batch sizes 2 and 5 do not broadcast"});
  expect_message([] { linear(matrix(), zeros({2, 4})); }, {"linear: x [2, 3] and w [2, 4]", "(k, n)"});
  expect_message([] { linear(matrix(), zeros({3, 4}), zeros({3})); }, {"linear: b [3] for w [3, 4]", "(4)"});
  expect_message([] { tensordot(matrix(), matrix(), 3); }, {"tensordot: 3 axes of [2, 3] and [2, 3]"});
  expect_message([] { tensordot(matrix(), matrix(), 1); }, {"tensordot", "sizes 3 and 2"});
  expect_message([] { tensordot(matrix(), matrix(), std::vector<int>{0}, std::vector<int>{}); },
                 {"tensordot: 1 axes of x but 0 of y"});
  expect_message([] { outer(matrix(), matrix()); }, {"outer: [2, 3] and [2, 3]", "vectors"});
  expect_message([] { vecdot(matrix(), zeros({2, 1})); }, {"vecdot: [2, 3] and [2, 1]", "axis -1 differ"});
  expect_message([] { einsum("ij,jk", {matrix()}); }, {"einsum: 'ij,jk' names 2 operands, but 1 are given"});
  expect_message(
      [] {
        einsum("ij,jk", {matrix(), matrix()});
      },
      {"einsum: 'ij,jk': label 'j' stands for sizes 3 and 2"});
  expect_message([] { einsum("ijk", {matrix()}); }, {"einsum: 'ijk': 3 labels", "[2, 3]", "2 axes"});
  expect_message([] { einsum("ii", {matrix()}); }, {"einsum: 'ii': label 'i' stands for sizes 2 and 3"});
  expect_message([] { einsum("i1", {matrix()}); }, {"einsum: 'i1': the character '1'"});
  expect_message([] { einsum("i..", {matrix()}); }, {"einsum: 'i..': an ellipsis is three dots"});
  expect_message([] { einsum("ij->k", {matrix()}); }, {"einsum: 'ij->k': label 'k' of the output is in no operand"});
  expect_message([] { einsum("ij->ii", {matrix()}); }, {"einsum: 'ij->ii': label 'i' stands twice"});
  expect_message([] { einsum("...j->j", {matrix()}); }, {"einsum: '...j->j': the output drops"});
  expect_message([] { einsum("...i,...i", {matrix(), zeros({4, 3})}); }, {"einsum", "sizes 2 and 4 of '...'"});
}

TEST(OpsErrors, Random) {
  namespace r = random;
  const r::Key key = r::key(1);
  expect_message([] { r::bits(zeros({2}), {3}); }, {"random::bits: the key is float32 of shape [2]", "random::key"});
  expect_message([&] { r::bits(key, {-3}); }, {"random::bits: shape [-3]", "negative"});
  expect_message([&] { r::fold_in(key, 0.5); }, {"random::fold_in: the data is float32", "integer scalar"});
  expect_message([&] { r::split(key, -1); }, {"random::split: -1 keys"});
  expect_message([&] { r::uniform(key, {2}, 0, 1, bfloat16); }, {"random::uniform", "bfloat16", "astype"});
  expect_message([&] { r::uniform(key, {2}, 1, 0); }, {"random::uniform: high 0 is below low 1"});
  expect_message([&] { r::uniform(key, {2}, matrix(), 1); }, {"random::uniform: low of shape [2, 3]", "[2]"});
  expect_message([&] { r::normal(key, {2}, 0, -1); }, {"random::normal: stddev is -1"});
  expect_message([&] { r::truncated_normal(key, {2}, 2, 2); }, {"random::truncated_normal: low 2 is not below high 2"});
  expect_message([&] { r::bernoulli(key, {2}, 1.5); }, {"random::bernoulli: p is 1.5", "0 to 1"});
  expect_message([&] { r::integers(key, {2}, 3, 3); }, {"random::integers: low 3 and high 3"});
  expect_message([&] { r::integers(key, {2}, 0, 257, uint8); }, {"random::integers: 0 to 257", "uint8", "0 to 255"});
  expect_message([&] { r::integers(key, {2}, 0, 3, float32); }, {"random::integers", "float32", "int64"});
  expect_message([&] { r::permutation(key, -1); }, {"random::permutation", "-1", "negative"});
  expect_message([&] { r::categorical(key, zeros({2, 0})); }, {"random::categorical: logits of shape [2, 0]"});
}

}  // namespace
}  // namespace pellucid
