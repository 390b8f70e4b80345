// Random arrays. A key and a shape determine every element: Philox4x32-10 (Salmon et al. 2011), counted by element, so
// that the same key gives the same bits on every machine, for any number of threads.
#pragma once

#include "pellucid/array.h"

namespace pellucid::random {

/// A source of random numbers: (seed, stream), an int64 array of shape [2]. Use each key once; make more by split or
/// fold_in. As it is an array, a key may depend on a traced step counter: fold_in(key, step) differs at each run of one
/// plan.
using Key = Array;

Key key(std::uint64_t seed);  // stream 0 of the seed
/// A key of its own for each value of `data` (an integer scalar, which may be traced).
Key fold_in(const Key& key, const Array& data);
/// `count` keys of their own.
std::vector<Key> split(const Key& key, int count = 2);

/// int32, uniformly distributed bits.
Array bits(const Key& key, const Shape& shape);
/// Uniform in [low, high). float32: 24 random bits; float64: 53.
Array uniform(const Key& key, const Shape& shape, const Array& low = 0, const Array& high = 1, DType dtype = float32);
/// Normal, by the inverse of the distribution function.
Array normal(const Key& key, const Shape& shape, const Array& mean = 0, const Array& stddev = 1, DType dtype = float32);
/// Normal(0, 1) conditioned on [low, high].
Array truncated_normal(const Key& key, const Shape& shape, double low = -2, double high = 2, DType dtype = float32);
/// bool; true with probability p (scalar or broadcastable to shape).
Array bernoulli(const Key& key, const Shape& shape, const Array& p = 0.5);
/// Uniform in [low, high). Throws where high <= low. Unbiased to 2^-32 * (high - low).
Array integers(const Key& key, const Shape& shape, std::int64_t low, std::int64_t high, DType dtype = int64);
/// A uniformly random order of 0 .. n - 1, int64.
Array permutation(const Key& key, std::int64_t n);
/// -log(-log(u)).
Array gumbel(const Key& key, const Shape& shape, DType dtype = float32);
/// int64 of shape logits.shape without its last axis: index i with probability softmax(logits)[..., i].
Array categorical(const Key& key, const Array& logits);

}  // namespace pellucid::random
