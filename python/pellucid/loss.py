"""Losses, called with (prediction, target) and perhaps weights of the samples.

    pl.loss.mean_squared_error(y, target)
    pl.loss.CrossEntropy(label_smoothing=0.1)(logits, labels)
    pl.fit(net, (x, y), loss=pl.loss.Huber(delta=0.5))

Each function is its class with the default settings. Every loss gives one number for each element, or each sample where
it says so; reduction="none" returns them, "sum" adds them, "mean" divides the sum by their number. With weights, each
number is multiplied by its weight, and "mean" divides by the sum of the weights.
"""

from ._core.loss import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
