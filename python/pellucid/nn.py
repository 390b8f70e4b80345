"""Layers and networks. A network of your own is a class derived from Module:

    class Net(pl.nn.Module):
        def __init__(self):
            self.hidden = pl.nn.Linear(2, 4)
            self.scale = pl.nn.Parameter(pl.ones(4))

        def __call__(self, x):
            return self.scale * pl.nn.relu(self.hidden(x))

Its attributes are its members, found and named by themselves: "hidden.weight", "hidden.bias", "scale".
"""

from __future__ import annotations

import json as _json
from typing import Any as _Any

from . import _core
from ._core import Buffer, Context, Parameter, precision  # noqa: F401
from ._core import (  # noqa: F401
    celu, elu, gelu, gelu_tanh, hardsigmoid, hardswish, leaky_relu, log_sigmoid, log_softmax, mish, one_hot, relu,
    relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh,
)
from ._layers import Start as _Start, simple_layers as _simple_layers, start as _start
from ._modules import Layer, Module

globals().update(_simple_layers())  # Linear, ReLU, Conv2d, ...: the table in _layers.py


def build(description: dict[str, _Any] | str) -> Layer:
    """A layer of this library from what describe() gives (a dict, or JSON), with fresh parameters."""
    return _core._build(description if isinstance(description, str) else _json.dumps(description))


def layer_types() -> list[str]:
    """The names of the layers that build() knows."""
    return _core._layer_types()


class Sequential(Layer):
    """Layers, modules or functions of one array, one after the other; their names are their positions: "0.weight"."""

    def __init__(self, *layers: _Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
            layers = layers[0]
        _core._Layer.__init__(self, "Sequential", {}, list(layers))


class Residual(Layer):
    """x + f(x), where f is the given layers one after the other and keeps the shape."""

    def __init__(self, *layers: _Any) -> None:
        _core._Layer.__init__(self, "Residual", {}, list(layers))


class Ensemble(Layer):
    """Networks of one shape side by side: the given layers, each parameter with a leading axis of members (one batched graph).

    mean: what is given of the members' outputs: "scores", their mean; "probabilities", scores whose softmax is the mean of
    the members' probabilities; "scores_and_variance", their mean and behind it their variance over the members.
    """

    def __init__(self, members: int, *layers: _Any, mean: str = "scores") -> None:
        _core._Layer.__init__(self, "Ensemble", dict(members=int(members), mean=mean), list(layers))


class Blend(Layer):
    """Layers of any shapes on the same inputs, and the weighted mean of what they say: of their outputs ("scores"), or of the
    probabilities that these are the scores of ("probabilities": temperature times its logarithm). The weights, a buffer,
    begin equal.
    """

    def __init__(self, *layers: _Any, mean: str = "scores") -> None:
        _core._Layer.__init__(self, "Blend", dict(mean=mean), list(layers))


class WeightNorm(Layer):
    """A layer whose weight is used as magnitude * weight / |weight|, over all axes but the last (Salimans, Kingma 2016)."""

    def __init__(self, layer: _Any) -> None:
        _core._Layer.__init__(self, "WeightNorm", {}, [layer])


class SpectralNorm(Layer):
    """A layer whose weight is divided by its largest singular value, by power iterations (Miyato et al. 2018)."""

    def __init__(self, layer: _Any, iterations: int = 1, epsilon: float = 1e-12) -> None:
        _core._Layer.__init__(self, "SpectralNorm", dict(iterations=iterations, epsilon=float(epsilon)), [layer])


class _Recurrent(Layer):
    def __call__(  # type: ignore[override]
        self, x: _Any, lengths: _Any = None, hidden: _Any = None, cell: _Any = None, *, states: bool = False,
    ) -> _Any:
        """(N, T, C) -> (N, T, D * H); with `states`, (outputs, hidden) or for LSTM (outputs, hidden, cell) afterwards.

        lengths (N): how many steps of each example count. hidden, cell (N, layers * D, H): the states before, zeros if
        left out.
        """
        outputs, hidden, cell = _core._recurrent(self, x, lengths, hidden, cell)
        if not states:
            return outputs
        return (outputs, hidden) if cell is None else (outputs, hidden, cell)


class RNN(_Recurrent):
    """h' = tanh(x W + h U + b), or relu (Elman 1990)."""

    def __init__(
        self, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0,
        bias: bool = True, nonlinearity: str = "tanh", weight_initializer: _Start | None = None,
        bias_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "RNN", dict(inputs=inputs, hidden=hidden, depth=layers, bidirectional=bidirectional,
                                                dropout=float(dropout), bias=bias, nonlinearity=nonlinearity), [])
        _start(self, weight_initializer=weight_initializer, bias_initializer=bias_initializer)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), gates in the order i, f, g, o."""

    def __init__(
        self, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0,
        bias: bool = True, weight_initializer: _Start | None = None, bias_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "LSTM", dict(inputs=inputs, hidden=hidden, depth=layers, bidirectional=bidirectional,
                                                 dropout=float(dropout), bias=bias), [])
        _start(self, weight_initializer=weight_initializer, bias_initializer=bias_initializer)


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al. 2014), gates in the order r, z, n."""

    def __init__(
        self, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0,
        bias: bool = True, weight_initializer: _Start | None = None, bias_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "GRU", dict(inputs=inputs, hidden=hidden, depth=layers, bidirectional=bidirectional,
                                                dropout=float(dropout), bias=bias), [])
        _start(self, weight_initializer=weight_initializer, bias_initializer=bias_initializer)


class _Attention(Layer):
    def __call__(self, x: _Any, memory: _Any = None, mask: _Any = None, lengths: _Any = None) -> _core.Array:
        """(N, T, C) -> (N, T, C). memory (N, S, C): keys and values come from it. mask: broadcast to (N, H, T, S).

        lengths (N): how many of the S positions of each example count.
        """
        return _core._attend(self, x, memory, mask, lengths)


class MultiHeadAttention(_Attention):
    """Attention of H heads between linear layers (Vaswani et al. 2017): (N, T, C) -> (N, T, C)."""

    def __init__(
        self, features: int, heads: int, causal: bool = False, groups: int = 0, memory_features: int = 0,
        bias: bool = True, dropout: float = 0.0, rotary_base: float | None = None,
        weight_initializer: _Start | None = None, output_weight_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "MultiHeadAttention", dict(
            features=features, heads=heads, causal=causal, groups=groups or heads,
            memory_features=memory_features or features, bias=bias, dropout=float(dropout), rotary_base=rotary_base), [])
        _start(self, weight_initializer=weight_initializer, output_weight_initializer=output_weight_initializer)


class TransformerEncoderLayer(_Attention):
    """x + attention(norm(x)), then x + feed_forward(norm(x)): (N, T, C) -> (N, T, C)."""

    def __init__(
        self, features: int, heads: int, hidden: int = 0, activation: str = "gelu", norm_first: bool = True,
        causal: bool = False, dropout: float = 0.0, groups: int = 0, bias: bool = True, epsilon: float = 1e-5,
        rotary_base: float | None = None, weight_initializer: _Start | None = None,
        output_weight_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "TransformerEncoderLayer", dict(
            features=features, heads=heads, hidden=hidden or 4 * features, activation=activation, norm_first=norm_first,
            causal=causal, dropout=float(dropout), groups=groups or heads, bias=bias, epsilon=float(epsilon),
            rotary_base=rotary_base), [])
        _start(self, weight_initializer=weight_initializer, output_weight_initializer=output_weight_initializer)


class TransformerEncoder(_Attention):
    """Encoder layers one after the other; a normalisation behind the last where layers normalise first."""

    def __init__(
        self, depth: int, features: int, heads: int, hidden: int = 0, activation: str = "gelu",
        norm_first: bool = True, causal: bool = False, dropout: float = 0.0, groups: int = 0, bias: bool = True,
        epsilon: float = 1e-5, rotary_base: float | None = None, weight_initializer: _Start | None = None,
        output_weight_initializer: _Start | None = None,
    ) -> None:
        _core._Layer.__init__(self, "TransformerEncoder", dict(
            depth=depth, features=features, heads=heads, hidden=hidden or 4 * features, activation=activation,
            norm_first=norm_first, causal=causal, dropout=float(dropout), groups=groups or heads, bias=bias,
            epsilon=float(epsilon), rotary_base=rotary_base), [])
        _start(self, weight_initializer=weight_initializer, output_weight_initializer=output_weight_initializer)


def resnet18(**options: _Any) -> Layer:
    """ResNet(18, ...): 11.7 million parameters for 1000 classes (He et al. 2016)."""
    return ResNet(18, **options)  # noqa: F821


def resnet34(**options: _Any) -> Layer:
    """ResNet(34, ...): 21.8 million parameters for 1000 classes."""
    return ResNet(34, **options)  # noqa: F821


def resnet50(**options: _Any) -> Layer:
    """ResNet(50, ...): 25.6 million parameters for 1000 classes."""
    return ResNet(50, **options)  # noqa: F821


def fold_batch_norm(network: _Any, x: _Any) -> int:
    """Joins every BatchNorm that alone reads a convolution or linear layer with that layer; gives how many were joined.

    x: an example input; nothing is computed with it.
    """
    return _core._fold_batch_norm(network, x)


_core._register_modules(Module, {n: c for n, c in list(globals().items()) if isinstance(c, type) and issubclass(c, Layer)})
del annotations
__all__ = [n for n in globals() if not n.startswith("_")]
