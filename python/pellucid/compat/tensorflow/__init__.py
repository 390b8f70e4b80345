"""Enough of TensorFlow's names that a network written for it trains with its import line alone changed:

    import pellucid.compat.tensorflow as tf

Tensors, variables, gradient tapes and optimisers behave as TensorFlow 2's do in eager execution. What differs: types
promote instead of failing (integers that meet float weights become floats), integers divide to float32, and a mean of
integers is a float32. What a tape recorded is compiled when gradients are asked for, once for each program and shape.
"""

from pellucid import bfloat16, bool, float32, float64, int32, int64, uint8  # noqa: F401

from . import keras, math, nn, optimizers, random  # noqa: F401
from ._operations import (  # noqa: F401
    abs, add, argmax, argmin, cast, clip_by_value, concat, cos, divide, equal, exp, expand_dims, eye, fill, floor, gather, greater,
    greater_equal, identity, less, less_equal, linspace, logical_and, logical_not, logical_or, matmul, maximum, minimum,
    multiply, negative, not_equal, one_hot, ones, ones_like, pow, range, reduce_all, reduce_any, reduce_logsumexp,
    reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum, reshape, round, shape, sigmoid, sign, sin, sqrt, square,
    squeeze, stack, stop_gradient, subtract, tanh, tile, transpose, where, zeros, zeros_like,
)
from ._tape import GradientTape  # noqa: F401
from ._tensor import Module, Tensor, Variable, constant, convert_to_tensor  # noqa: F401


def function(func=None, **options):
    """The function itself: what a tape recorded is compiled anyway."""
    return func if func is not None else (lambda f: f)


def is_tensor(x):
    """Is x a Tensor or a Variable?"""
    return isinstance(x, (Tensor, Variable))
