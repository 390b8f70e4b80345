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
from collections.abc import Callable as _Callable, Sequence as _Sequence
from typing import Any as _Any

from . import _core
from ._core import Buffer, Context, Parameter, precision  # noqa: F401
from ._core import (  # noqa: F401
    celu, elu, gelu, gelu_tanh, hardsigmoid, hardswish, leaky_relu, log_sigmoid, log_softmax, mish, one_hot, relu,
    relu6, selu, sigmoid, silu, softmax, softplus, softsign, tanh,
)

_AUTOMATIC, _TRAINING, _EVALUATION = 0, 1, 2
_Start = _Callable[[_core.Array, tuple[int, ...], _core.DType], _core.Array]  # what initialisers are: pl.init's, or yours


class _Methods:
    """What layers of the engine and modules of Python can do alike."""

    def named_parameters(self) -> dict[str, _core.Array]:
        """A dict of the parameters' arrays by name, in order of declaration."""
        return _core._named_parameters(self)

    def named_buffers(self) -> dict[str, _core.Array]:
        """A dict of the buffers' arrays by name: running statistics and other constants that are saved."""
        return _core._named_buffers(self)

    def parameters(self) -> list[_core.Array]:
        """The parameters' arrays."""
        return list(_core._named_parameters(self).values())

    def trainable_parameters(self) -> dict[str, _core.Array]:
        """A dict of the arrays that grad differentiates, by name: those of parameters that are not frozen."""
        trainable = _core._trainable(self)
        return {name: value for name, value in _core._named_parameters(self).items() if trainable[name]}

    def parameter_count(self, trainable_only: bool = False) -> int:
        """The number of elements of all parameters."""
        return _core._parameter_count(self, trainable_only)

    def state_dict(self) -> dict[str, _core.Array]:
        """A dict of all arrays, parameters and buffers, by name."""
        return {**_core._named_parameters(self), **_core._named_buffers(self)}

    def load_state_dict(self, state: _Any, partial: bool = False) -> _Any:
        """Replaces parameters and buffers by name.

        Raises ValueError for a name that the module lacks, a shape that differs, and, unless `partial`, an array of the
        module that is not in `state`; nothing is replaced then.
        """
        _core._load_state(self, dict(state), partial)
        return self

    def update(self, arrays: _Any) -> _Any:
        """Replaces the arrays named in a dict: load_state_dict(arrays, partial=True), for loops by hand."""
        _core._load_state(self, dict(arrays), True)
        return self

    def freeze(self, pattern: str = "*") -> int:
        """Makes parameters whose names match not trainable ('*' any characters, '?' one); gives their number."""
        return _core._freeze(self, pattern, True)

    def unfreeze(self, pattern: str = "*") -> int:
        """Makes parameters whose names match trainable again; gives their number."""
        return _core._freeze(self, pattern, False)

    def train(self) -> _Any:
        """All layers behave as in training, whatever the Context."""
        _core._set_mode(self, _TRAINING)
        return self

    def eval(self) -> _Any:
        """All layers behave as in evaluation, whatever the Context."""
        _core._set_mode(self, _EVALUATION)
        return self

    def automatic(self) -> _Any:
        """All layers behave as the Context says: training inside one that trains, else evaluation. The default."""
        _core._set_mode(self, _AUTOMATIC)
        return self

    def astype(self, dtype: _Any) -> _Any:
        """Converts all floating parameters and buffers, in place."""
        _core._astype(self, dtype)
        return self

    def initialize(self, key: _Any) -> _Any:
        """Draws all parameters anew from `key` (pl.random.key(0)), and returns buffers to their first values."""
        _core._initialize(self, key)
        return self

    def describe(self) -> dict[str, _Any]:
        """What the network is made of, without its numbers: nested dicts of types and settings."""
        return _json.loads(_core._describe(self))

    def summary(self, x: _Any) -> str:
        """A table of each layer called with x: path, layer, shape of its output, parameters. Nothing is computed."""
        return _core._summary(self, x)


class Module(_Methods):
    """The base of your networks: a class with __call__, whose attributes are its members.

    What counts: Parameter, Buffer, layers, modules, and lists, tuples and dicts of these. Plain arrays are constants.
    """

    def __repr__(self):
        inside = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if _core._is_module(v))
        return f"{type(self).__name__}({inside})"


class Layer(_core._Layer, _Methods):
    """A layer of the engine. Its members (weight, bias, ...) are attributes."""

    def __getattr__(self, name: str) -> _Any:
        if name.startswith("__"):
            raise AttributeError(name)
        member = self._member(name)
        if member is NotImplemented:
            known = ", ".join(self._members()) or "none"
            raise AttributeError(f"{type(self).__name__} has no member {name!r}; its members: {known}")
        return member

    def __setattr__(self, name: str, value: _Any) -> None:
        member = self._member(name)
        if isinstance(member, (Parameter, Buffer)):
            member.value = value.value if isinstance(value, (Parameter, Buffer)) else value
        elif member is not NotImplemented:
            raise AttributeError(f"{type(self).__name__}.{name}: a layer inside a layer cannot be replaced")
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(m.split(".")[0] for m in self._members())})

    def __len__(self) -> int:
        if self._type not in ("Sequential", "Residual"):
            raise TypeError(f"a {self._type} has no length")
        return len({m.split(".")[0] for m in self._positions()})

    def _positions(self):
        return [m for m in self._member_names() if m.split(".")[0].isdigit()]

    def _member_names(self):
        found, i = [], 0
        while self._member(str(i)) is not NotImplemented:
            found.append(str(i))
            i += 1
        return found

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, i: int) -> _Any:
        if self._type not in ("Sequential", "Residual"):
            raise TypeError(f"a {self._type} has no layers by position")
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"{self._type}: there is no layer {i} among {n}")
        return self._member(str(i % n))

    def __repr__(self):
        if self._type in ("Sequential", "Residual"):
            return f"{self._type}({', '.join(repr(self[i]) for i in range(len(self)))})"
        return f"{self._type}({', '.join(f'{k}={v!r}' for k, v in self._settings.items())})"

    def __reduce__(self):
        return _unpickle, (_core._describe(self), {k: v.numpy() for k, v in self.state_dict().items()})

    def __deepcopy__(self, memo):
        return self._copy()

    def __copy__(self):
        return self._copy()


def _unpickle(description, state):
    return _core._build(description).load_state_dict(state)


def build(description: dict[str, _Any] | str) -> Layer:
    """A layer of this library from what describe() gives (a dict, or JSON), with fresh parameters."""
    return _core._build(description if isinstance(description, str) else _json.dumps(description))


def layer_types() -> list[str]:
    """The names of the layers that build() knows."""
    return _core._layer_types()


# ---- The layers ------------------------------------------------------------------------------------------------------
#
# Each line is a constructor as C++ has it; settings reach the engine by these names. `n` of `Conv2d(..., stride: 2)` is
# a setting that may be one number for all axes.

_LAYERS = """
Linear(inputs, outputs, bias=True, weight_initializer=None, bias_initializer=None)
Identity()
ReLU()
ReLU6()
Sigmoid()
HardSigmoid()
LogSigmoid()
Tanh()
Softplus()
Softsign()
GELU()
GELUTanh()
SiLU()
Mish()
HardSwish()
SELU()
LeakyReLU(negative_slope=0.01)
ELU(alpha=1.0)
CELU(alpha=1.0)
PReLU(features=1, initial=0.25)
Softmax(axis=-1)
LogSoftmax(axis=-1)
GLU(axis=-1)
Dropout(p=0.5)
Dropout1d(p=0.5, channels_first=False)
Dropout2d(p=0.5, channels_first=False)
Dropout3d(p=0.5, channels_first=False)
StochasticDepth(p)
Flatten(first=1)
BatchNorm1d(features, momentum=0.1, epsilon=1e-5, affine=True)
BatchNorm2d(features, momentum=0.1, epsilon=1e-5, affine=True, channels_first=False)
BatchNorm3d(features, momentum=0.1, epsilon=1e-5, affine=True, channels_first=False)
LayerNorm(shape:*, epsilon=1e-5, affine=True)
RMSNorm(shape:*, epsilon=1e-6, affine=True)
GroupNorm(groups, channels, epsilon=1e-5, affine=True, channels_first=False)
InstanceNorm(channels, epsilon=1e-5, affine=False, channels_first=False)
Conv1d(inputs, outputs, kernel:1, stride:1=1, padding:1=0, dilation:1=1, groups=1, bias=True, padding_mode="zeros", channels_first=False, weight_initializer=None, bias_initializer=None)
Conv2d(inputs, outputs, kernel:2, stride:2=1, padding:2=0, dilation:2=1, groups=1, bias=True, padding_mode="zeros", channels_first=False, weight_initializer=None, bias_initializer=None)
Conv3d(inputs, outputs, kernel:3, stride:3=1, padding:3=0, dilation:3=1, groups=1, bias=True, padding_mode="zeros", channels_first=False, weight_initializer=None, bias_initializer=None)
ConvTranspose1d(inputs, outputs, kernel:1, stride:1=1, padding:1=0, output_padding:1=0, dilation:1=1, groups=1, bias=True, channels_first=False, weight_initializer=None, bias_initializer=None)
ConvTranspose2d(inputs, outputs, kernel:2, stride:2=1, padding:2=0, output_padding:2=0, dilation:2=1, groups=1, bias=True, channels_first=False, weight_initializer=None, bias_initializer=None)
ConvTranspose3d(inputs, outputs, kernel:3, stride:3=1, padding:3=0, output_padding:3=0, dilation:3=1, groups=1, bias=True, channels_first=False, weight_initializer=None, bias_initializer=None)
MaxPool1d(kernel:1, stride:1=None, padding:1=0, dilation:1=1, ceil_mode=False, channels_first=False)
MaxPool2d(kernel:2, stride:2=None, padding:2=0, dilation:2=1, ceil_mode=False, channels_first=False)
MaxPool3d(kernel:3, stride:3=None, padding:3=0, dilation:3=1, ceil_mode=False, channels_first=False)
AvgPool1d(kernel:1, stride:1=None, padding:1=0, ceil_mode=False, count_include_pad=True, channels_first=False)
AvgPool2d(kernel:2, stride:2=None, padding:2=0, ceil_mode=False, count_include_pad=True, channels_first=False)
AvgPool3d(kernel:3, stride:3=None, padding:3=0, ceil_mode=False, count_include_pad=True, channels_first=False)
AdaptiveMaxPool1d(size:1, channels_first=False)
AdaptiveMaxPool2d(size:2, channels_first=False)
AdaptiveMaxPool3d(size:3, channels_first=False)
AdaptiveAvgPool1d(size:1, channels_first=False)
AdaptiveAvgPool2d(size:2, channels_first=False)
AdaptiveAvgPool3d(size:3, channels_first=False)
GlobalAvgPool(channels_first=False)
Pad1d(low:1, high:1=None, mode="zeros", value=0.0, channels_first=False)
Pad2d(low:2, high:2=None, mode="zeros", value=0.0, channels_first=False)
Pad3d(low:3, high:3=None, mode="zeros", value=0.0, channels_first=False)
Upsample(scale:2, mode="nearest", align_corners=False, channels_first=False)
PixelShuffle(factor, channels_first=False)
PixelUnshuffle(factor, channels_first=False)
SqueezeExcite(channels, squeezed, channels_first=False)
SwiGLU(features, hidden)
Augment(shift=0, flip=False, rotate=0.0, brightness=0.0, contrast=0.0, saturation=0.0, cutout=0)
Embedding(count, features, padding_index=None, frozen=False, weight_initializer=None)
EmbeddingBag(count, features, mode="mean", padding_index=None, frozen=False, weight_initializer=None)
SinusoidalPositions(features)
LearnedPositions(length, features, weight_initializer=None)
FeatureScale(features)
NTKLinear(inputs, outputs, stddev=1.0)
NumberEmbedding(features, numbers:*, frequencies=16, outputs=3, sigma=0.1)
Intervals()
LeNet5(channels=1, classes=10)
ConvNet(channels=1, classes=10, widths=(16, 32, 64), dropout=0.0)
ResNet(depth, channels=3, classes=1000, small_pictures=False)
MobileNetV2(channels=3, classes=1000, width=1.0, dropout=0.2, small_pictures=False)
UNet(channels=1, outputs=1, width=64, depth=4)
GPT(vocabulary=256, length=256, features=384, heads=6, blocks=6, dropout=0.0, recompute=False)
"""


def _per_axis(value, axes):
    """One number as one for each axis; None and text stay."""
    if isinstance(value, (str, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return list(value)
    return [int(value)] * (1 if axes == "*" else int(axes))


def _settle(type, settings):
    """Settings that stand for others."""
    if "padding" in settings and type.startswith("Conv") and not type.startswith("ConvT"):
        padding = settings["padding"]
        if isinstance(padding, list):
            settings["padding"] = padding + padding  # before and after each axis
    if "stride" in settings and settings["stride"] is None:
        settings["stride"] = settings["kernel"]
    if type.startswith("AvgPool"):
        settings["dilation"] = [1] * len(settings["kernel"])
    if type.startswith("Pad") and settings["high"] is None:
        settings["high"] = settings["low"]
    return settings


def _type_of(name, default, axes):
    """The annotation of a setting, by its default."""
    if axes:
        said = "int | _Sequence[int]" + (" | str" if name == "padding" else "")
        return said + (" | None" if default == "None" else "")
    if name.endswith("_initializer"):
        return "_Start | None"
    if default in ("", "None"):
        return "float" if name == "p" else "int" if not default else "int | None"
    kind = type(eval(default)).__name__
    return "_Sequence[int]" if kind == "tuple" else kind


def _define(line):
    name, _, rest = line.partition("(")
    parameters, typed, lists, forward = [], [], {}, []
    for part in _split(rest.rstrip(")")):
        head, eq, default = part.partition("=")
        variable, colon, axes = head.partition(":")
        if colon:
            lists[variable] = axes
        parameters.append(variable + eq + default)
        typed.append(f"{variable}: {_type_of(variable, default, axes)!r}{eq and ' = '}{default}")
        forward.append(variable)
    body = f"def __init__(self{''.join(', ' + p for p in typed)}) -> None:\n"
    body += f"    _construct(self, {name!r}, dict({', '.join(f'{v}={v}' for v in forward)}), {lists!r})\n"
    scope = {"_construct": _construct, "_Sequence": _Sequence, "_Start": _Start, "__name__": __name__}
    exec(body, scope)
    text = _core._doc(f"nn.{name}") or f"The engine's layer {name}."
    cls = type(name, (Layer,), {"__init__": scope["__init__"], "__doc__": text, "__module__": __name__})
    scope["__init__"].__qualname__ = f"{name}.__init__"
    scope["__init__"].__doc__ = f"{name}({', '.join(parameters)})"
    return name, cls


def _split(text):
    parts, depth, current = [], 0, ""
    for c in text:
        depth += c in "(["
        depth -= c in ")]"
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    return parts + [current.strip()] if current.strip() else parts


def _construct(self, type, settings, lists):
    for name, axes in lists.items():
        settings[name] = _per_axis(settings[name], axes)
    starts = {name: settings.pop(name, None) for name in ("weight_initializer", "bias_initializer")}
    _core._Layer.__init__(self, type, _settle(type, settings), [])
    _start(self, settings.get("padding_index"), **starts)


def _start(layer, padding_index=None, *, weight_initializer=None, output_weight_initializer=None, bias_initializer=None):
    """Gives parameters initial values of the caller's: weights (of two axes or more), last projections, biases."""
    if weight_initializer is not None:
        given = weight_initializer
        if padding_index is not None:
            def weight_initializer(key, shape, dtype):
                rows = _core.arange(shape[0])[:, None]
                return _core.where(rows == padding_index, 0, _core.asarray(given(key, shape, dtype)))
        _core._start_at(layer, f"{layer._type}: weight_initializer", weight_initializer, "weight", 2)
    if output_weight_initializer is not None:
        for ending in ("output.weight", "contract.weight"):
            _core._start_at(layer, f"{layer._type}: output_weight_initializer", output_weight_initializer, ending, 2)
    if bias_initializer is not None:
        _core._start_at(layer, f"{layer._type}: bias_initializer", bias_initializer, "bias", 1)


for _line in _LAYERS.split("\n"):
    if _line:
        _name, _class = _define(_line)
        globals()[_name] = _class


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
    the members' probabilities.
    """

    def __init__(self, members: int, *layers: _Any, mean: str = "scores") -> None:
        _core._Layer.__init__(self, "Ensemble", dict(members=int(members), mean=mean), list(layers))


class Blend(Layer):
    """Layers of any shapes on the same inputs, and the weighted mean of what they say: of their outputs ("scores"), or of the
    probabilities that these are the scores of ("probabilities": temperature times its logarithm). The weights, a buffer,
    begin equal.
    """

    def __init__(self, *layers, mean="scores"):
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
