"""Schedules: the learning rate as a function of the number of updates made so far, from 0.

    pl.optim.SGD(learning_rate=pl.schedule.Cosine(initial=0.1, steps=10_000))

A learning rate is a number, one of these, or a function of the step (an array without a value) made of operations.
"""

from ._core.schedule import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
