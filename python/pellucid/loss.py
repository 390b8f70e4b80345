"""Losses, called with (prediction, target) and perhaps weights of the samples.

    pl.loss.mean_squared_error(y, target)
    pl.loss.CrossEntropy(label_smoothing=0.1)(logits, labels)
    pl.fit(net, (x, y), loss=pl.loss.Huber(delta=0.5))

Each function is its class with the default settings. Every loss gives one number for each element, or each sample where
it says so; reduction="none" returns them, "sum" adds them, "mean" divides the sum by their number. With weights, each
number is multiplied by its weight, and "mean" divides by the sum of the weights.
"""

from ._core.loss import (  # noqa: F401
    CTC, BinaryCrossEntropy, BinaryCrossEntropyWithLogits, Cosine, CosineEmbedding, CrossEntropy, Dice, Focal,
    GaussianNegativeLogLikelihood, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanSquaredError,
    NegativeLogLikelihood, PoissonNegativeLogLikelihood, Quantile, SquaredHinge, Triplet, binary_cross_entropy,
    binary_cross_entropy_with_logits, cosine, cosine_embedding, cross_entropy, ctc, dice, focal,
    gaussian_negative_log_likelihood, hinge, huber, kl_divergence, log_cosh, mean_absolute_error, mean_squared_error,
    negative_log_likelihood, poisson_negative_log_likelihood, quantile, reduce, squared_hinge, triplet,
)

__all__ = [n for n in globals() if not n.startswith("_")]
