"""tf.nn: activations, and losses of logits."""

import pellucid as _pl

from ._operations import _of_one, sigmoid, tanh  # noqa: F401
from ._tensor import apply as _apply
from ._tensor import convert_to_tensor as _tensor

for _name in "relu elu selu gelu silu softplus softsign relu6".split():
    globals()[_name] = _of_one(_name, getattr(_pl, _name))
swish = silu  # noqa: F821


def leaky_relu(features, alpha=0.2, name=None):
    """x where it is positive, else alpha x."""
    return _apply(_pl.leaky_relu, _tensor(features), negative_slope=alpha)


def softmax(logits, axis=-1, name=None):
    """exp(x) over its sum along the axis."""
    return _apply(_pl.softmax, _tensor(logits), axis=axis)


def log_softmax(logits, axis=-1, name=None):
    """The logarithm of softmax, exact far from 0."""
    return _apply(_pl.log_softmax, _tensor(logits), axis=axis)


def _with_logits(logits, labels):
    return -_pl.sum(labels * _pl.log_softmax(logits), axis=-1)


def softmax_cross_entropy_with_logits(labels, logits, axis=-1, name=None):
    """-sum(labels * log_softmax(logits)) along the last axis; labels are probabilities."""
    if axis != -1:
        raise ValueError(f"softmax_cross_entropy_with_logits: axis {axis}; the last one, -1, is meant to hold the classes")
    return _apply(_with_logits, _tensor(logits), _tensor(labels))


def _sparse(logits, labels):
    taken = _pl.take_along_axis(_pl.log_softmax(logits), _pl.expand_dims(labels, axis=-1), axis=-1)
    return -_pl.squeeze(taken, axis=-1)


def sparse_softmax_cross_entropy_with_logits(labels, logits, name=None):
    """-log_softmax(logits)[label]; labels are whole numbers of classes."""
    return _apply(_sparse, _tensor(logits), _tensor(labels))


def _sigmoid_loss(logits, labels):
    return _pl.maximum(logits, 0) - logits * labels + _pl.log1p(_pl.exp(-_pl.abs(logits)))


def sigmoid_cross_entropy_with_logits(labels=None, logits=None, name=None):
    """-labels log(sigmoid(logits)) - (1 - labels) log(1 - sigmoid(logits)), exact for any logit."""
    return _apply(_sigmoid_loss, _tensor(logits), _tensor(labels))
