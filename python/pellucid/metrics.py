"""Metrics: how good predictions are, as numbers for people, computed in float64. They read values, so they cannot be
used inside compile, grad and the like.

Class predictions may be given in three ways: classes (samples), integers; scores (samples, classes), the largest wins;
scores of class 1 of two (samples) or (samples, 1): from `threshold` on it is 1. Targets are class indices (samples).
`weights` (samples) count a sample that much.
"""

from ._core.metrics import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
