"""Every layer against PyTorch's: values, gradients by the input and by each parameter.

A layer without parameters whose name PyTorch has, in any case, needs no line here.
"""

import numpy as np

import pellucid as pl

from . import draw
from .compare import Case
from .torch_oracle import F, tnn, to_oracle, torch, vjp  # noqa: F401

COMPOSED = "a network composed of layers that are compared one by one"
WITHOUT = {
    **{name: COMPOSED for name in "ConvNet GPT LeNet5 MobileNetV2 ResNet UNet Residual Sequential".split()},
    "SpectralNorm": "its estimate of the singular value is its own; tests/nn_picture_test.cpp holds it",
    "Ensemble": "its layers under vmap, which tests/laws_test.cpp holds for all; tests/nn_table_test.cpp compares it with its "
                "members one by one",
    "Blend": "a mean of layers that are compared one by one; tests/nn_table_test.cpp holds it",
    "Augment": "draws its changes; tests/augment_test.cpp holds them",
}


def names():
    return pl.nn.layer_types()


def maker(name):
    """A function of a generator that makes a Case; a reason why there is none; or None."""
    if name in WITHOUT:
        return WITHOUT[name]
    if name in SPECS:
        return lambda rng: layer_case(rng, *SPECS[name](rng))
    found = _named(name)
    return None if found is None else lambda rng: layer_case(rng, getattr(pl.nn, name)(), (3, 7), found)


def _named(name):
    import torch.nn

    found = next((n for n in dir(torch.nn) if n.lower() == name.lower()), None)
    return None if found is None else lambda x: getattr(torch.nn, found)()(x)


def layer_case(rng, layer, shape, reference, integers=None, training=False):
    """A Case of a layer and a reference of (x, **parameters); `integers`: x are numbers below it."""
    dtype = "float64" if rng.random() < 0.5 else "float32"
    state = layer.named_parameters()
    values = {k: draw.values(rng, v.shape, dtype, False) * 0.5 for k, v in state.items()}
    buffers = {k: (np.abs(draw.values(rng, v.shape, dtype, False)) + 0.5).astype(dtype) for k, v in layer.named_buffers().items()
               if k.startswith("running")}
    layer.astype(getattr(pl, dtype))
    layer.update({k: pl.asarray(v) for k, v in buffers.items()})
    x = rng.integers(0, integers, shape) if integers else draw.values(rng, shape, dtype, False)
    order = list(values)
    key = pl.random.key(0)

    def ours(x, *parameters):
        layer.update(dict(zip(order, parameters)))
        if training:
            with pl.nn.Context(key):
                return layer(x)
        return layer(x)

    def oracle(x, *parameters):
        extra = {k: torch.from_numpy(v.astype(np.float64)) for k, v in buffers.items()}
        return reference(x, **{k.replace(".", "_"): p for k, p in zip(order, parameters)}, **extra)

    differentiable = tuple(range(1 if integers else 0, 1 + len(order)))
    return Case(ours, oracle, [x, *(values[k] for k in order)], dtype, differentiable, None, None, 400.0)


# ---- Helpers ---------------------------------------------------------------------------------------------------------


def channels(f, first):
    """f of channels-first arrays, for either layout."""
    return f if first else lambda x, **p: f(x.movedim(-1, 1).contiguous(), **p).movedim(1, -1)


def picture(rng, axes, count, first, low=5, high=8):
    sizes = [int(n) for n in rng.integers(low, high, axes)]
    n = int(rng.integers(1, 3))
    return (n, count, *sizes) if first else (n, *sizes, count)


def flag(rng):
    return bool(rng.integers(2))


def small(rng, low, high):
    return int(rng.integers(low, high))


# ---- Specifications: (layer, shape of x, reference[, integers]) ------------------------------------------------------


def linear(rng):
    i, o, bias = small(rng, 1, 9), small(rng, 1, 9), flag(rng)
    return pl.nn.Linear(i, o, bias=bias), (small(rng, 0, 5), i), lambda x, weight, bias=None: F.linear(x, weight.T, bias)


def convolution(axes):
    def spec(rng):
        first, groups = flag(rng), draw.pick(rng, [1, 1, 2])
        i, o = groups * small(rng, 1, 4), groups * small(rng, 1, 4)
        kernel, stride, padding, dilation = small(rng, 1, 4), small(rng, 1, 3), small(rng, 0, 3), small(rng, 1, 3)
        mode = draw.pick(rng, ["zeros", "zeros", "reflect", "replicate", "circular"])
        layer = getattr(pl.nn, f"Conv{axes}d")(i, o, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups,
                                               bias=flag(rng), padding_mode=mode, channels_first=first)

        def reference(x, weight, bias=None):
            w = weight.permute(-1, -2, *range(axes)).contiguous()
            if mode != "zeros":
                x = F.pad(x, [padding] * (2 * axes), mode=mode)
            return getattr(F, f"conv{axes}d")(x, w, bias, stride, padding if mode == "zeros" else 0, dilation, groups)

        return layer, picture(rng, axes, i, first, 5, 8), channels(reference, first)

    return spec


def transposed(axes):
    def spec(rng):
        first, groups = flag(rng), draw.pick(rng, [1, 1, 2])
        i, o = groups * small(rng, 1, 4), groups * small(rng, 1, 4)
        kernel, stride, dilation = small(rng, 2, 4), small(rng, 1, 3), small(rng, 1, 3)
        padding, more = small(rng, 0, 2), small(rng, 0, stride)
        layer = getattr(pl.nn, f"ConvTranspose{axes}d")(i, o, kernel, stride=stride, padding=padding, output_padding=more,
                                                        dilation=dilation, groups=groups, bias=flag(rng), channels_first=first)

        def reference(x, weight, bias=None):
            w = weight.permute(-1, -2, *range(axes)).contiguous()
            return getattr(F, f"conv_transpose{axes}d")(x, w, bias, stride, padding, more, groups, dilation)

        return layer, picture(rng, axes, i, first, 3, 6), channels(reference, first)

    return spec


def pool(kind, axes):
    def spec(rng):
        first, kernel = flag(rng), small(rng, 2, 4)
        stride, padding = small(rng, 1, 4), small(rng, 0, kernel // 2 + 1)
        if kind == "Max":
            dilation = small(rng, 1, 3)
            layer = getattr(pl.nn, f"MaxPool{axes}d")(kernel, stride, padding, dilation=dilation, channels_first=first)
            return layer, picture(rng, axes, 2, first, 6, 9), channels(
                lambda x: getattr(F, f"max_pool{axes}d")(x, kernel, stride, padding, dilation), first)
        counted = flag(rng)
        layer = getattr(pl.nn, f"AvgPool{axes}d")(kernel, stride, padding, count_include_pad=counted, channels_first=first)
        return layer, picture(rng, axes, 2, first), channels(
            lambda x: getattr(F, f"avg_pool{axes}d")(x, kernel, stride, padding, count_include_pad=counted), first)

    return spec


def adaptive(kind, axes):
    def spec(rng):
        first, size = flag(rng), [small(rng, 1, 5) for _ in range(axes)]
        layer = getattr(pl.nn, f"Adaptive{kind}Pool{axes}d")(size, channels_first=first)
        return layer, picture(rng, axes, 2, first), channels(
            lambda x: getattr(F, f"adaptive_{kind.lower()}_pool{axes}d")(x, size), first)

    return spec


def batch_norm(axes):
    def spec(rng):
        first, training = (flag(rng) if axes > 1 else False), flag(rng)
        options = {"channels_first": first} if axes > 1 else {}
        layer = getattr(pl.nn, f"BatchNorm{axes}d")(3, **options)
        shape = picture(rng, axes, 3, first) if axes > 1 else (small(rng, 3, 9), 3)

        def reference(x, weight, bias, running_mean, running_variance):
            return F.batch_norm(x, running_mean.clone(), running_variance.clone(), weight, bias, training)

        return layer, shape, channels(reference, first or axes == 1), None, training

    return spec


def layer_norm(rng):
    shape = draw.pick(rng, [(5,), (4, 5)])
    return pl.nn.LayerNorm(shape), (3, 4, 5), lambda x, weight, bias: F.layer_norm(x, shape, weight, bias)


def rms_norm(rng):
    return pl.nn.RMSNorm((5,)), (3, 4, 5), lambda x, weight: F.rms_norm(x, (5,), weight, 1e-6)


def group_norm(rng):
    first = flag(rng)
    layer = pl.nn.GroupNorm(2, 4, channels_first=first)
    return layer, picture(rng, 2, 4, first), channels(lambda x, weight, bias: F.group_norm(x, 2, weight, bias), first)


def instance_norm(rng):
    first, affine = flag(rng), flag(rng)
    layer = pl.nn.InstanceNorm(3, affine=affine, channels_first=first)

    def reference(x, weight=1.0, bias=0.0):  # PyTorch 2.15's own has another gradient for one example, channels last
        axes = (2, 3) if first else (1, 2)
        y = (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, correction=0, keepdim=True) + 1e-5)
        return y * weight + bias if not first or not affine else y * weight[:, None, None] + bias[:, None, None]

    return layer, picture(rng, 2, 3, first), reference


def inactive(make, axes=2):
    """A layer that changes nothing in evaluation."""
    return lambda rng: (make(), (3, *range(4, 4 + axes), 2), lambda x: x)


def padding(axes):
    def spec(rng):
        mode = draw.pick(rng, ["zeros", "reflect", "replicate", "circular"])
        low, high, first = [small(rng, 0, 3) for _ in range(axes)], [small(rng, 0, 3) for _ in range(axes)], flag(rng)
        layer = getattr(pl.nn, f"Pad{axes}d")(low, high, mode=mode, channels_first=first)
        pairs = [n for a, b in zip(reversed(low), reversed(high)) for n in (a, b)]
        return layer, picture(rng, axes, 2, first), channels(
            lambda x: F.pad(x, pairs, mode="constant" if mode == "zeros" else mode), first)

    return spec


def upsample(rng):
    mode, aligned, first = draw.pick(rng, ["nearest", "linear"]), flag(rng), flag(rng)
    aligned = aligned and mode == "linear"
    layer = pl.nn.Upsample((2, 3), mode=mode, align_corners=aligned, channels_first=first)
    options = {} if mode == "nearest" else {"align_corners": aligned}
    return layer, picture(rng, 2, 2, first, 2, 5), channels(
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest" if mode == "nearest" else "bilinear", **options), first)


def shuffle(rng):
    first = flag(rng)
    return pl.nn.PixelShuffle(2, channels_first=first), picture(rng, 2, 8, first), channels(lambda x: F.pixel_shuffle(x, 2), first)


def unshuffle(rng):
    first = flag(rng)
    shape = (2, 3, 4, 6) if first else (2, 4, 6, 3)
    return pl.nn.PixelUnshuffle(2, channels_first=first), shape, channels(lambda x: F.pixel_unshuffle(x, 2), first)


def mean_pool(rng):
    first = flag(rng)
    return pl.nn.GlobalAvgPool(channels_first=first), picture(rng, 2, 3, first), lambda x: x.mean(dim=(2, 3) if first else (1, 2))


def recurrent(name):
    def spec(rng):
        i, h, depth, two = small(rng, 1, 5), small(rng, 1, 5), small(rng, 1, 3), flag(rng)
        layer = getattr(pl.nn, name)(i, h, layers=depth, bidirectional=two)

        def reference(x, **p):
            module = getattr(tnn, name)(i, h, depth, batch_first=True, bidirectional=two).double()
            weights = {}
            for side, end in (("forward", ""), ("backward", "_reverse"))[: 2 if two else 1]:
                for k in range(depth):
                    bias = p[f"{side}_{k}_bias"]
                    hidden = torch.zeros_like(bias)
                    if name == "GRU":
                        hidden = torch.cat([hidden[: 2 * h], p[f"{side}_{k}_hidden_bias"]])
                    weights.update({f"weight_ih_l{k}{end}": p[f"{side}_{k}_input_weight"].T,
                                    f"weight_hh_l{k}{end}": p[f"{side}_{k}_hidden_weight"].T, f"bias_ih_l{k}{end}": bias,
                                    f"bias_hh_l{k}{end}": hidden})
            return torch.func.functional_call(module, weights, (x,))[0]

        return layer, (2, small(rng, 1, 5), i), reference

    return spec


def attend(x, p, heads, causal, before=""):
    def project(name):
        y = F.linear(x, p[f"{before}{name}_weight"].T, p[f"{before}{name}_bias"])
        return y.reshape(*y.shape[:2], heads, -1).transpose(1, 2)

    y = F.scaled_dot_product_attention(project("query"), project("key"), project("value"), is_causal=causal)
    return F.linear(y.transpose(1, 2).flatten(2), p[f"{before}output_weight"].T, p[f"{before}output_bias"])


def attention(rng):
    causal = flag(rng)
    return pl.nn.MultiHeadAttention(8, 2, causal=causal), (2, small(rng, 1, 6), 8), lambda x, **p: attend(x, p, 2, causal)


def encode(x, p, before, norm_first, causal):
    def norm(y, k):
        return F.layer_norm(y, (8,), p[f"{before}norm{k}_weight"], p[f"{before}norm{k}_bias"])

    def feed(y):
        y = F.gelu(F.linear(y, p[f"{before}expand_weight"].T, p[f"{before}expand_bias"]))
        return F.linear(y, p[f"{before}contract_weight"].T, p[f"{before}contract_bias"])

    if norm_first:
        x = x + attend(norm(x, 1), p, 2, causal, f"{before}attention_")
        return x + feed(norm(x, 2))
    x = norm(x + attend(x, p, 2, causal, f"{before}attention_"), 1)
    return norm(x + feed(x), 2)


def encoder_layer(rng):
    first, causal = flag(rng), flag(rng)
    layer = pl.nn.TransformerEncoderLayer(8, 2, hidden=12, norm_first=first, causal=causal)
    return layer, (2, small(rng, 1, 6), 8), lambda x, **p: encode(x, p, "", first, causal)


def encoder(rng):
    layer = pl.nn.TransformerEncoder(2, 8, 2, hidden=12)
    kinds = list(layer.named_parameters())

    def reference(x, **p):
        before = sorted({k.rsplit("norm1", 1)[0].replace(".", "_") for k in kinds if "norm1" in k})
        for start in before:
            x = encode(x, p, start, True, False)
        last = [k.replace(".", "_")[: -len("_weight")] for k in kinds if k.endswith("norm.weight")]
        return F.layer_norm(x, (8,), p[f"{last[0]}_weight"], p[f"{last[0]}_bias"])

    return layer, (2, 3, 8), reference


def positions(rng):
    return pl.nn.LearnedPositions(6, 4), (2, 5, 4), lambda x, weight: x + weight[:5]


def sinusoids(rng):
    t, i = np.arange(5)[:, None], np.arange(6)[None, :]
    angle = t / 10000.0 ** (2 * (i // 2) / 6)
    table = np.where(i % 2 == 0, np.sin(angle), np.cos(angle))
    return pl.nn.SinusoidalPositions(6), (2, 5, 6), lambda x: x + torch.from_numpy(table)


def embedding(rng):
    return pl.nn.Embedding(7, 3), (2, 4), lambda x, weight: F.embedding(x, weight), 7


def bag(rng):
    mode = draw.pick(rng, ["mean", "sum"])
    return pl.nn.EmbeddingBag(7, 3, mode=mode), (2, 4), lambda x, weight: F.embedding_bag(x, weight, mode=mode), 7


def squeeze(rng):
    def reference(x, reduce_weight, reduce_bias, expand_weight, expand_bias):
        y = F.relu(F.linear(x.mean(dim=(1, 2)), reduce_weight.T, reduce_bias))
        return x * torch.sigmoid(F.linear(y, expand_weight.T, expand_bias))[:, None, None, :]

    return pl.nn.SqueezeExcite(4, 2), (2, 3, 5, 4), reference


def weight_norm(rng):
    def reference(x, layer_weight, layer_bias, magnitude):
        return F.linear(x, (magnitude * layer_weight / layer_weight.norm(dim=0)).T, layer_bias)

    return pl.nn.WeightNorm(pl.nn.Linear(3, 4)), (5, 3), reference


def scaled_linear(rng):
    layer = pl.nn.NTKLinear(3, 4)
    return layer, (5, 3), lambda x, weight, bias: x @ weight / 3**0.5 + bias


def feature_scale(rng):
    return pl.nn.FeatureScale(4), (5, 4), lambda x, weight: x * weight


def number_embedding(rng):
    at = [0, 2]
    layer = pl.nn.NumberEmbedding(4, at, frequencies=5, outputs=3)

    def reference(x, frequency, phase, weight, bias):
        waves = torch.cos(2 * np.pi * (frequency * x[:, at].T[:, :, None] + phase))  # (numbers, rows, frequencies)
        made = (waves @ weight + bias).permute(1, 0, 2).flatten(1)
        return torch.cat([x, made], dim=1)

    return layer, (6, 4), reference


def category_embedding(rng):
    layer = pl.nn.CategoryEmbedding(7, [1, 4], [2, 3], outputs=4)

    def reference(x, vectors):
        return torch.cat([x[:, :1], x[:, 1:3] @ vectors[:2], x[:, 3:4], x[:, 4:] @ vectors[2:]], dim=1)

    return layer, (5, 7), reference


def intervals(rng):
    def reference(x):
        value, low, high = x.unbind(1)
        return torch.stack([value, torch.minimum(low, value), torch.maximum(high, value)], dim=1)

    return pl.nn.Intervals(), (6, 3), reference


SPECS = {
    "NTKLinear": scaled_linear, "FeatureScale": feature_scale, "NumberEmbedding": number_embedding,
    "CategoryEmbedding": category_embedding, "Intervals": intervals,
    "Linear": linear, "LayerNorm": layer_norm, "RMSNorm": rms_norm, "GroupNorm": group_norm, "InstanceNorm": instance_norm,
    "Upsample": upsample, "PixelShuffle": shuffle, "PixelUnshuffle": unshuffle, "GlobalAvgPool": mean_pool,
    "MultiHeadAttention": attention, "TransformerEncoderLayer": encoder_layer, "TransformerEncoder": encoder,
    "LearnedPositions": positions, "SinusoidalPositions": sinusoids, "Embedding": embedding, "EmbeddingBag": bag,
    "SqueezeExcite": squeeze, "WeightNorm": weight_norm,
    "SwiGLU": lambda rng: (pl.nn.SwiGLU(4, 6), (2, 3, 4), lambda x, gate_weight, up_weight, down_weight: (
        F.silu(x @ gate_weight) * (x @ up_weight)) @ down_weight),
    "GELUTanh": lambda rng: (pl.nn.GELUTanh(), (3, 7), lambda x: F.gelu(x, approximate="tanh")),
    "Softmax": lambda rng: (pl.nn.Softmax(1), (2, 3, 4), lambda x: F.softmax(x, 1)),
    "LogSoftmax": lambda rng: (pl.nn.LogSoftmax(), (3, 7), lambda x: F.log_softmax(x, -1)),
    "GLU": lambda rng: (pl.nn.GLU(), (3, 8), lambda x: F.glu(x, -1)),
    "Flatten": lambda rng: (pl.nn.Flatten(), (2, 3, 4), lambda x: x.flatten(1)),
    "PReLU": lambda rng: (pl.nn.PReLU(5), (3, 5), lambda x, weight: F.prelu(x, weight)),
    "HardSigmoid": lambda rng: (pl.nn.HardSigmoid(), (3, 7), lambda x: torch.clamp(x + 3, 0, 6) / 6),
    "LeakyReLU": lambda rng: (pl.nn.LeakyReLU(0.2), (3, 7), lambda x: F.leaky_relu(x, 0.2)),
    "Dropout": inactive(lambda: pl.nn.Dropout(0.5)), "StochasticDepth": inactive(lambda: pl.nn.StochasticDepth(0.5)),
    **{f"Dropout{a}d": inactive(lambda a=a: getattr(pl.nn, f"Dropout{a}d")(0.5), a) for a in (1, 2, 3)},
    **{f"Conv{a}d": convolution(a) for a in (1, 2, 3)}, **{f"ConvTranspose{a}d": transposed(a) for a in (1, 2, 3)},
    **{f"{k}Pool{a}d": pool(k, a) for a in (1, 2, 3) for k in ("Max", "Avg")},
    **{f"Adaptive{k}Pool{a}d": adaptive(k, a) for a in (1, 2, 3) for k in ("Max", "Avg")},
    **{f"BatchNorm{a}d": batch_norm(a) for a in (1, 2, 3)}, **{f"Pad{a}d": padding(a) for a in (1, 2, 3)},
    **{name: recurrent(name) for name in ("RNN", "LSTM", "GRU")},
}
