"""The layers whose constructors are a list of settings: their table, and how a line of it becomes a class. See nn.py."""

from collections.abc import Callable, Sequence

from . import _core
from ._modules import Layer

Start = Callable[[_core.Array, tuple[int, ...], _core.DType], _core.Array]  # what initialisers are: pl.init's, or yours

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
CategoryEmbedding(features, firsts:*, counts:*, outputs=8)
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


def define(line):
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
    scope = {"_construct": _construct, "_Sequence": Sequence, "_Start": Start, "__name__": "pellucid.nn"}
    exec(body, scope)
    text = _core._doc(f"nn.{name}") or f"The engine's layer {name}."
    cls = type(name, (Layer,), {"__init__": scope["__init__"], "__doc__": text, "__module__": "pellucid.nn"})
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
    start(self, settings.get("padding_index"), **starts)


def start(layer, padding_index=None, *, weight_initializer=None, output_weight_initializer=None, bias_initializer=None):
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


def simple_layers():
    """The classes of the table, by name."""
    return dict(define(line) for line in _LAYERS.split("\n") if line)
