// Metrics: how good predictions are, as numbers for people. Plain functions over values, computed in float64 on the
// calling thread, in one fixed order; they evaluate their arguments, so they cannot be used inside compile, grad and
// the like.
//
// Class predictions may be given in three ways:
//   (samples)            integers or bool: the classes themselves
//   (samples, classes)   floating: scores, the largest wins, the first of equals
//   (samples), (samples, 1)  floating: scores of class 1 of two; from `threshold` on it is 1
// Targets are class indices (samples), integers or whole floating numbers; (samples, 1) is taken as (samples).
// `weights` (samples), where given, count a sample that much. All throw Error where shapes do not fit, where there are
// no samples (or their weights sum to 0), where a class is out of range, and where a value is NaN.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pellucid/array.h"

namespace pellucid::metrics {

// ---- Classification -------------------------------------------------------------------------------------------------

/// The share of samples whose class is predicted.
double accuracy(const Array& prediction, const Array& target, const Array& weights = {}, double threshold = 0.5);
/// The share of samples whose class is among the k highest scores (samples, classes); of equal scores, the later class
/// counts as the higher, as in scikit-learn. Throws Error unless 1 <= k.
double top_k_accuracy(const Array& scores, const Array& target, std::int64_t k, const Array& weights = {});

/// counts[i][j]: the samples (or their weights) of class i that were predicted as j.
using Confusion = std::vector<std::vector<double>>;
/// `classes` absent: one more than the largest index on either side, or the number of scores.
Confusion confusion_matrix(const Array& prediction, const Array& target, std::optional<std::int64_t> classes = {},
                           const Array& weights = {}, double threshold = 0.5);

/// How the numbers of classes become one number.
enum class Average {
  kBinary,    // that of class 1, where there are two
  kMacro,     // the mean over classes
  kMicro,     // from the counts of all classes together
  kWeighted,  // the mean over classes, weighted by their shares of the targets
};
struct Scores {
  double precision, recall, f1;
};
/// Precision: of what is predicted as a class, the share that is right; recall: of a class, the share that is found;
/// F1: their harmonic mean. 0 where there is nothing to take a share of. Classes are those that occur in target or
/// prediction. Throws Error for kBinary where a class is neither 0 nor 1.
Scores scores(const Array& prediction, const Array& target, Average average = Average::kBinary,
              const Array& weights = {}, double threshold = 0.5);
/// The same from counts; classes without samples and predictions are left out.
Scores scores(const Confusion& confusion, Average average = Average::kBinary);
double precision(const Array& prediction, const Array& target, Average average = Average::kBinary,
                 const Array& weights = {}, double threshold = 0.5);
double recall(const Array& prediction, const Array& target, Average average = Average::kBinary,
              const Array& weights = {}, double threshold = 0.5);
double f1(const Array& prediction, const Array& target, Average average = Average::kBinary, const Array& weights = {},
          double threshold = 0.5);

/// The probability that a sample of class 1 scores higher than one of class 0, equal scores counting half: scores
/// (samples) or (samples, 1). With (samples, classes): the mean over classes of that class against the rest, each by
/// its own score. Throws Error where a class, or all but one, does not occur: there is nothing to compare.
double roc_auc(const Array& scores, const Array& target, const Array& weights = {});

/// The mean of -log(probability of the target's class). probabilities: (samples, classes), whose rows are divided by
/// their sums, or (samples), (samples, 1) for class 1 of two. Probabilities are clipped to [e, 1 - e], e = 2^-52.
double log_loss(const Array& probabilities, const Array& target, const Array& weights = {});
/// Samples are put into `bins` of equal width by confidence (the highest probability; bin i is (i, i + 1] / bins), and
/// the distances between mean confidence and accuracy are averaged over bins, weighted by their sizes (Guo et al.
/// 2017).
double expected_calibration_error(const Array& probabilities, const Array& target, int bins = 15,
                                  const Array& weights = {});

// ---- Regression: prediction and target of one shape; weights of the leading axis ------------------------------------

double mean_absolute_error(const Array& prediction, const Array& target, const Array& weights = {});
double mean_squared_error(const Array& prediction, const Array& target, const Array& weights = {});
/// sqrt(mean_squared_error) over all elements.
double root_mean_squared_error(const Array& prediction, const Array& target, const Array& weights = {});
/// 1 - (squared error) / (squared distance of the targets from their mean); with several outputs (samples, outputs) the
/// mean over outputs. Where all targets of an output are equal: 1 for no error, else 0.
double r2(const Array& prediction, const Array& target, const Array& weights = {});

}  // namespace pellucid::metrics
