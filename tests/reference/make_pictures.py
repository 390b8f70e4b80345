#!/usr/bin/env python3
"""Writes pictures.json: layers for pictures by PyTorch in float64, channels first.

A case: the description that nn::build takes, in training or not, x, parameters and buffers by name, the layer's value,
and of f = sum(cotangent * value^2): gradients by x and the parameters, the Hessian by x times v; buffers after the call.
Run with a Python that has torch: make_pictures.py > pictures.json
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20241124)
cases = []


def pack(t):
    return {"shape": list(t.shape), "data": [float(f"{v:.14g}") for v in t.detach().flatten().tolist()]}


def case(description, f, shape, parameters=None, buffers=None, after=None, train=False, x=None):
    """f(x, parameters, buffers) -> value; `after` gives the buffers when it was called."""
    few = lambda t: torch.round(t, decimals=5)
    parameters = {k: few(p) for k, p in (parameters or {}).items()}
    buffers = {k: few(b) for k, b in (buffers or {}).items()}
    x = few(torch.randn(shape) if x is None else x).requires_grad_()
    leaves = {k: p.clone().requires_grad_() for k, p in parameters.items()}
    kept = {k: b.clone() for k, b in buffers.items()}
    value = f(x, leaves, kept)
    cotangent = few(torch.rand(value.shape) + 0.5)
    total = (cotangent * value**2).sum()
    gradients = torch.autograd.grad(total, [x, *leaves.values()], create_graph=True)
    v = few(torch.randn(x.shape))
    (product,) = torch.autograd.grad((gradients[0] * v).sum(), [x])
    cases.append(
        {
            "layer": description,
            "train": train,
            "names": list(parameters),
            "x": pack(x),
            "parameters": {k: pack(p) for k, p in parameters.items()},
            "buffers": {k: pack(b) for k, b in buffers.items()},
            "value": pack(value),
            "cotangent": pack(cotangent),
            "gradients": [pack(g) for g in gradients],
            "v": pack(v),
            "product": pack(product),
            "after": {k: pack(b) for k, b in (after(kept) if after else {}).items()},
        }
    )


def pools():
    for axes, shape in ((1, (2, 2, 9)), (2, (2, 2, 5, 6)), (3, (1, 1, 4, 5, 3))):
        maximum = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[axes]
        average = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[axes]
        for kernel, stride, padding, dilation, ceil in ((2, 2, 0, 1, False), (3, 2, 1, 1, True), (3, 1, 1, 1, False), (2, 1, 1, 2, False)):
            both = lambda n: [n] * axes
            base = {"kernel": both(kernel), "stride": both(stride), "padding": both(padding), "dilation": both(dilation), "ceil_mode": ceil}
            case({"type": f"MaxPool{axes}d", **base, "channels_first": True},
                 lambda x, p, b: maximum(x, kernel, stride, padding, dilation, ceil), shape)
            if dilation == 1:
                for include in (True, False):
                    case({"type": f"AvgPool{axes}d", **base, "count_include_pad": include, "channels_first": True},
                         lambda x, p, b: average(x, kernel, stride, padding, ceil, include), shape)
        size = {1: [4], 2: [3, 5], 3: [2, 4, 3]}[axes]
        most = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}[axes]
        mean = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}[axes]
        case({"type": f"AdaptiveMaxPool{axes}d", "size": size, "channels_first": True}, lambda x, p, b: most(x, size), shape)
        case({"type": f"AdaptiveAvgPool{axes}d", "size": size, "channels_first": True}, lambda x, p, b: mean(x, size), shape)
    case({"type": "GlobalAvgPool", "channels_first": True}, lambda x, p, b: x.mean((2, 3)), (2, 3, 4, 5))


def norms():
    for axes, shape in ((2, (3, 4, 3, 5)), (3, (2, 3, 2, 3, 4))):
        c = shape[1]
        for train in (True, False):
            for affine in (True, False):
                parameters = {"weight": torch.rand(c) + 0.5, "bias": torch.randn(c)} if affine else {}
                buffers = {"running_mean": torch.randn(c), "running_variance": torch.rand(c) + 0.5}
                case({"type": f"BatchNorm{axes}d", "features": c, "momentum": 0.3, "epsilon": 1e-3, "affine": affine, "channels_first": True},
                     lambda x, p, b: F.batch_norm(x, b["running_mean"], b["running_variance"], p.get("weight"), p.get("bias"), train, 0.3, 1e-3),
                     shape, parameters, buffers, lambda b: b, train, x=torch.randn(shape) * 2 + 30)
    for groups, c in ((2, 6), (1, 4), (4, 4)):
        case({"type": "GroupNorm", "groups": groups, "channels": c, "epsilon": 1e-5, "affine": True, "channels_first": True},
             lambda x, p, b: F.group_norm(x, groups, p["weight"], p["bias"], 1e-5), (2, c, 3, 4),
             {"weight": torch.rand(c) + 0.5, "bias": torch.randn(c)})
    case({"type": "GroupNorm", "groups": 2, "channels": 4, "epsilon": 1e-5, "affine": False, "channels_first": True},
         lambda x, p, b: F.group_norm(x, 2, None, None, 1e-5), (2, 4, 5))
    for shape in ((2, 3, 5), (2, 3, 4, 3), (2, 2, 2, 3, 2)):
        case({"type": "InstanceNorm", "channels": shape[1], "epsilon": 1e-5, "affine": True, "channels_first": True},
             lambda x, p, b: F.instance_norm(x, weight=p["weight"], bias=p["bias"]), shape,
             {"weight": torch.rand(shape[1]) + 0.5, "bias": torch.randn(shape[1])})
    case({"type": "RMSNorm", "shape": [5], "epsilon": 1e-6, "affine": True},
         lambda x, p, b: F.rms_norm(x, (5,), p["weight"], 1e-6), (3, 4, 5), {"weight": torch.rand(5) + 0.5})


def resizing():
    x2 = (2, 3, 4, 5)
    for scale in ([2, 2], [3, 2]):
        case({"type": "Upsample", "scale": scale, "mode": "nearest", "align_corners": False, "channels_first": True},
             lambda x, p, b: F.interpolate(x, scale_factor=tuple(scale), mode="nearest"), x2)
        for corners in (True, False):
            case({"type": "Upsample", "scale": scale, "mode": "linear", "align_corners": corners, "channels_first": True},
                 lambda x, p, b: F.interpolate(x, scale_factor=tuple(scale), mode="bilinear", align_corners=corners), x2)
    case({"type": "Upsample", "scale": [3], "mode": "linear", "align_corners": False, "channels_first": True},
         lambda x, p, b: F.interpolate(x, scale_factor=3, mode="linear", align_corners=False), (2, 3, 5))
    case({"type": "Upsample", "scale": [2], "mode": "linear", "align_corners": True, "channels_first": True},
         lambda x, p, b: F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=True), (1, 2, 2, 3, 2))
    case({"type": "PixelShuffle", "factor": 2, "channels_first": True}, lambda x, p, b: F.pixel_shuffle(x, 2), (2, 8, 3, 2))
    case({"type": "PixelUnshuffle", "factor": 2, "channels_first": True}, lambda x, p, b: F.pixel_unshuffle(x, 2), (2, 2, 4, 6))
    for mode, name in (("zeros", "constant"), ("reflect", "reflect"), ("replicate", "replicate"), ("circular", "circular")):
        case({"type": "Pad2d", "low": [1, 2], "high": [2, 0], "mode": mode, "value": 1.5 if mode == "zeros" else 0.0, "channels_first": True},
             lambda x, p, b: F.pad(x, (2, 0, 1, 2), name, 1.5) if name == "constant" else F.pad(x, (2, 0, 1, 2), name), x2)


def gates():
    case({"type": "GLU", "axis": 1}, lambda x, p, b: F.glu(x, 1), (2, 4, 3))
    weights = {"gate.weight": torch.randn(3, 5), "up.weight": torch.randn(3, 5), "down.weight": torch.randn(5, 3)}
    case({"type": "SwiGLU", "features": 3, "hidden": 5},
         lambda x, p, b: (F.silu(x @ p["gate.weight"]) * (x @ p["up.weight"])) @ p["down.weight"], (2, 4, 3), weights)
    weights = {"reduce.weight": torch.randn(4, 2), "reduce.bias": torch.randn(2) + 1, "expand.weight": torch.randn(2, 4), "expand.bias": torch.randn(4)}
    case({"type": "SqueezeExcite", "channels": 4, "squeezed": 2, "channels_first": True},
         lambda x, p, b: x * torch.sigmoid(F.relu(x.mean((2, 3)) @ p["reduce.weight"] + p["reduce.bias"]) @ p["expand.weight"] + p["expand.bias"])[:, :, None, None],
         (2, 4, 3, 2), weights)


def wrapped():
    linear = {"type": "Linear", "inputs": 3, "outputs": 4, "bias": True, "name": "layer"}
    weights = {"layer.weight": torch.randn(3, 4), "layer.bias": torch.randn(4), "magnitude": torch.rand(4) + 0.5}
    case({"type": "WeightNorm", "layers": [linear]},
         lambda x, p, b: x @ torch._weight_norm(p["layer.weight"], p["magnitude"], 1) + p["layer.bias"], (2, 3), weights)

    def spectral(x, p, b, train=True):
        w = p["layer.weight"]
        if train:
            for _ in range(2):
                b["left"] = F.normalize(w.detach() @ b["right"], dim=0, eps=1e-12)
                b["right"] = F.normalize(w.detach().T @ b["left"], dim=0, eps=1e-12)
        return x @ (w / (b["left"] @ w @ b["right"])) + p["layer.bias"]

    weights = {"layer.weight": torch.randn(3, 4), "layer.bias": torch.randn(4)}
    case({"type": "SpectralNorm", "iterations": 2, "epsilon": 1e-12, "layers": [linear]}, spectral, (2, 3), weights,
         {"left": F.normalize(torch.randn(3), dim=0), "right": F.normalize(torch.randn(4), dim=0)}, lambda b: b, train=True)


pools()
norms()
resizing()
gates()
wrapped()
print(json.dumps({"torch": torch.__version__, "cases": cases}))
