// What is suspicious about a table: columns that give the target away, and rows on both sides of a split.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pellucid/data.h"

namespace pellucid::data {

/// A column that alone predicts the target almost perfectly: it may be known only once the target is.
struct Leak {
  std::string column;
  /// The share of the baseline's error that it removes: of wrong answers where the baseline always names the most
  /// frequent class; of the squared error around the mean (R²).
  double score = 0;
};
/// Columns of features whose score is 0.98 or more. Every second of the rows, at most 10,000 taken evenly, says what
/// the column's values mean; the score is that on the others. None where 25 of these are not there to be scored.
/// Categories and missing values stand for themselves, of numbers and dates the neighbours answer.
std::vector<Leak> find_leaks(const Preprocessing& preprocessing, const Table& table,
                             std::span<const std::int64_t> training);

/// How many of the rows held out are equal to a training row in all columns of features and in the target.
std::int64_t count_duplicates(const Preprocessing& preprocessing, const Table& table,
                              std::span<const std::int64_t> training, std::span<const std::int64_t> held_out);
/// How many of the rows are equal to another of them in all columns of features, where all that are equal so have the
/// same target too. Where few values make rows alike by chance, these have different targets, and do not count.
std::int64_t count_repeated(const Preprocessing& preprocessing, const Table& table, std::span<const std::int64_t> rows);

}  // namespace pellucid::data
