#!/usr/bin/env python3
"""Writes convolution.json: layers that convolve, by PyTorch in float64.

A case: the layer and its settings (channels last, kernels as (kernel..., in / groups, out)), x, weight, bias; y; and of
f = sum(sin(y) * cotangent): the gradients by x, weight and bias, and the Hessian times the directions v.
Run with a Python that has torch: make_convolution.py > convolution.json
"""

import json

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240611)
cases = []


def last(x):
    """(n, c, s...) to (n, s..., c)."""
    return x.movedim(1, -1)


def turned(w):
    """PyTorch's kernel (out, in / groups, k...), or (in, out / groups, k...) of a transpose, to ours."""
    return w.movedim(1, -1).movedim(0, -1)


def pack(x):
    return {"shape": list(x.shape), "data": [float(f"{v:.17g}") for v in x.detach().flatten().tolist()]}


def case(layer, f, x, w, b, options):
    parameters = [x, w] + ([b] if b is not None else [])
    parameters = [p.clone().requires_grad_() for p in parameters]
    y = f(*parameters)
    cotangent = torch.randn_like(y)
    value = (torch.sin(y) * cotangent).sum()
    gradient = torch.autograd.grad(value, parameters, create_graph=True)
    v = [torch.randn_like(p) for p in parameters]
    slope = sum((g * d).sum() for g, d in zip(gradient, v))
    hessian = torch.autograd.grad(slope, parameters)
    layout = [last, turned, lambda t: t]

    def packed(list_):
        return [pack(l(t)) for l, t in zip(layout, list_)]

    cases.append(
        {
            "layer": layer,
            "options": options,
            "parameters": packed(parameters),
            "y": pack(last(y)),
            "cotangent": pack(last(cotangent)),
            "gradient": packed(gradient),
            "v": packed(v),
            "hessian": packed(hessian),
        }
    )


CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def convolution(n, sizes, inputs, outputs, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True, mode="zeros"):
    axes = len(sizes)
    x = torch.randn(n, inputs, *sizes)
    w = torch.randn(outputs, inputs // groups, *kernel)
    b = torch.randn(outputs) if bias else None

    def f(x, w, b=None):
        if mode == "zeros":
            return CONVOLVE[axes](x, w, b, stride, padding, dilation, groups)
        widths = [padding] * axes if isinstance(padding, int) else list(padding)
        both = [p for p in reversed(widths) for _ in range(2)]
        return CONVOLVE[axes](F.pad(x, both, mode=mode), w, b, stride, 0, dilation, groups)

    options = {
        "outputs": outputs,
        "kernel": list(kernel),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": bias,
        "padding_mode": mode,
    }
    case(f"Conv{axes}d", f, x, w, b, options)


def transpose(n, sizes, inputs, outputs, kernel, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    axes = len(sizes)
    x = torch.randn(n, inputs, *sizes)
    w = torch.randn(inputs, outputs // groups, *kernel)
    b = torch.randn(outputs)

    def f(x, w, b):
        return TRANSPOSE[axes](x, w, b, stride, padding, output_padding, groups, dilation)

    options = {
        "outputs": outputs,
        "kernel": list(kernel),
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
        "groups": groups,
    }
    case(f"ConvTranspose{axes}d", f, x, w, b, options)


convolution(2, (9,), 3, 4, (3,), padding=1)
convolution(2, (8,), 4, 6, (4,), stride=2, padding=1, dilation=2, groups=2)
convolution(2, (7,), 2, 3, (4,), padding="same")
convolution(2, (6, 5), 3, 4, (3, 3), padding=1)
convolution(2, (7, 6), 3, 5, (3, 2), stride=[2, 1], padding=[1, 0], bias=False)
convolution(2, (5, 6), 4, 4, (3, 3), padding=1, groups=4)
convolution(1, (5, 5), 3, 6, (3, 3), padding=1, groups=3, stride=2)
convolution(2, (5, 4), 2, 3, (2, 3), padding="same", dilation=2)
convolution(2, (4, 5), 3, 4, (1, 1))
convolution(2, (5, 4), 2, 3, (3, 3), padding=[2, 1], mode="reflect")
convolution(2, (5, 4), 2, 3, (3, 3), padding=[2, 1], mode="replicate")
convolution(2, (5, 4), 2, 3, (3, 3), padding=[2, 1], mode="circular", stride=2)
convolution(1, (3, 4, 4), 2, 3, (2, 3, 3), padding=1)
convolution(1, (4, 3, 5), 2, 4, (3, 2, 2), stride=[1, 2, 2], padding=[1, 0, 1], groups=2)
transpose(2, (4,), 3, 2, (3,), stride=2, padding=1, output_padding=1)
transpose(2, (3, 4), 3, 4, (3, 3), stride=2, padding=1, output_padding=1)
transpose(2, (3, 4), 4, 6, (2, 3), stride=[2, 1], dilation=[1, 2], groups=2)
transpose(1, (3, 3), 3, 2, (4, 4), stride=2, padding=1)
transpose(1, (2, 3, 2), 2, 3, (3, 2, 2), stride=[1, 2, 2], padding=[1, 0, 0], output_padding=[0, 1, 0])
print(json.dumps({"cases": cases}, separators=(",", ":")))
