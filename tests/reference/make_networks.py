#!/usr/bin/env python3
"""Writes networks.json: the networks for pictures in PyTorch, with parameters made by a formula that the test repeats.

Usage: python make_networks.py > networks.json      (needs torch)

For each network, in float64: the number of parameters; logits in training for one batch; the gradient of
sum(logits * weights) by each parameter as a product with weights; the running statistics after that likewise; logits in
evaluation. Parameters are in Pellucid's order and layout: kernels (height, width, inputs / groups, outputs).
"""

import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def formula(count, which):
    """Numbers in [-0.5, 0.5) that are exact in both programs."""
    i = np.arange(count, dtype=np.int64)
    return ((i * 7919 + which * 104729 + 13) % 2003) / 2003.0 - 0.5


def conv(inputs, outputs, kernel, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.linear1, self.linear2, self.linear3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.conv1(x)), 2)
        h = F.max_pool2d(F.relu(self.conv2(h)), 2)
        h = h.permute(0, 2, 3, 1).flatten(1)
        return self.linear3(F.relu(self.linear2(F.relu(self.linear1(h)))))


class Block(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = width * 4 if bottleneck else width
        self.conv1 = conv(inputs, width, 1) if bottleneck else conv(inputs, width, 3, stride)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride if bottleneck else 1)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = self.norm3 = self.shortcut = self.shortcut_norm = None
        if bottleneck:
            self.conv3, self.norm3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        if stride != 1 or inputs != outputs:
            self.shortcut, self.shortcut_norm = conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if self.conv3:
            y = self.norm3(self.conv3(F.relu(y)))
        return F.relu(y + (self.shortcut_norm(self.shortcut(x)) if self.shortcut else x))


class ResNet(nn.Module):
    def __init__(self, depth, small):
        super().__init__()
        self.small = small
        self.stem = conv(3, 64, 3) if small else conv(3, 64, 7, 2)
        self.stem_norm = nn.BatchNorm2d(64)
        self.blocks = nn.ModuleList()
        inputs, width = 64, 64
        for count in (2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3):
            for i in range(count):
                self.blocks.append(Block(inputs, width, 2 if i == 0 and width != 64 else 1, depth == 50))
                inputs = width * 4 if depth == 50 else width
            width *= 2
        self.head = nn.Linear(inputs, 10)

    def forward(self, x):
        h = F.relu(self.stem_norm(self.stem(x)))
        if not self.small:
            h = F.max_pool2d(h, 3, 2, 1)
        for block in self.blocks:
            h = block(h)
        return self.head(h.mean((2, 3)))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        middle = inputs * expansion
        self.expand = conv(inputs, middle, 1) if expansion != 1 else None
        self.expand_norm = nn.BatchNorm2d(middle) if expansion != 1 else None
        self.depthwise, self.depthwise_norm = conv(middle, middle, 3, stride, middle), nn.BatchNorm2d(middle)
        self.project, self.project_norm = conv(middle, outputs, 1), nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        h = F.relu6(self.expand_norm(self.expand(x))) if self.expand else x
        h = self.project_norm(self.project(F.relu6(self.depthwise_norm(self.depthwise(h)))))
        return x + h if self.residual else h


class MobileNet(nn.Module):
    def __init__(self, small):
        super().__init__()
        self.stem, self.stem_norm = conv(3, 32, 3, 1 if small else 2), nn.BatchNorm2d(32)
        self.blocks = nn.ModuleList()
        inputs = 32
        for t, c, n, s in [
            (1, 16, 1, 1), (6, 24, 2, 1 if small else 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]:
            for i in range(n):
                self.blocks.append(Inverted(inputs, c, s if i == 0 else 1, t))
                inputs = c
        self.last, self.last_norm = conv(320, 1280, 1), nn.BatchNorm2d(1280)
        self.head = nn.Linear(1280, 10)

    def forward(self, x):
        h = F.relu6(self.stem_norm(self.stem(x)))
        for block in self.blocks:
            h = block(h)
        return self.head(F.relu6(self.last_norm(self.last(h))).mean((2, 3)))


class Stage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class UNet(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.down, self.up, self.merge = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in range(depth + 1):
            self.down.append(Stage(1 if level == 0 else width << (level - 1), width << level))
        for level in reversed(range(depth)):
            self.up.append(nn.ConvTranspose2d(2 * width << level, width << level, 2, 2))
            self.merge.append(Stage(2 * width << level, width << level))
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        kept, h = [], x
        for level, stage in enumerate(self.down):
            h = stage(F.max_pool2d(h, 2) if level else h)
            kept.append(h)
        kept.pop()
        for up, merge in zip(self.up, self.merge):
            h = merge(torch.cat([kept.pop(), up(h)], 1))
        return self.head(h)


def ours(module, name, tensor):
    """A parameter in Pellucid's layout, as a view."""
    if isinstance(module, nn.ConvTranspose2d) and name == "weight":
        return tensor.permute(2, 3, 1, 0)
    if isinstance(module, nn.Conv2d) and name == "weight":
        return tensor.permute(2, 3, 1, 0)
    return tensor.t() if isinstance(module, nn.Linear) and name == "weight" else tensor


def parameters(network):
    for module in network.modules():
        for name, value in module.named_parameters(recurse=False):
            yield module, name, value


def fill(network):
    with torch.no_grad():
        for which, (module, name, value) in enumerate(parameters(network)):
            view = ours(module, name, value)
            numbers = formula(value.numel(), which)
            if isinstance(module, nn.BatchNorm2d) and name == "weight":
                numbers = 1 + 0.5 * numbers
            elif view.dim() > 1:
                fan = view.numel() // view.shape[-1]
                numbers = numbers * np.sqrt(24.0 / fan)
            view.copy_(torch.from_numpy(numbers).reshape(view.shape))


def weighed(view, which):
    return float((view.reshape(-1) * torch.from_numpy(formula(view.numel(), which + 1000))).sum())


def describe(network, shape):
    network.double()
    fill(network)
    x = torch.from_numpy(4 * formula(int(np.prod(shape)), 500)).reshape(shape).permute(0, 3, 1, 2)
    network.train()
    y = network(x)
    last = (lambda t: t.permute(0, 2, 3, 1)) if y.dim() == 4 else (lambda t: t)
    weights = torch.from_numpy(formula(y.numel(), 700)).reshape(last(y).shape)
    (last(y) * weights).sum().backward()
    gradients = [weighed(ours(m, n, p.grad), i) for i, (m, n, p) in enumerate(parameters(network))]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    statistics = [weighed(t, i) for i, t in enumerate(t for m in norms for t in (m.running_mean, m.running_var))]
    network.eval()
    with torch.no_grad():
        evaluated = last(network(x))
    return {
        "input": list(shape),
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": last(y).detach().reshape(-1)[:40].tolist(),
        "gradients": gradients,
        "statistics": statistics,
        "evaluation": evaluated.reshape(-1)[:40].tolist(),
    }


torch.set_num_threads(2)
json.dump(
    {
        "lenet5": describe(LeNet(), (2, 28, 28, 1)),
        "resnet18_small": describe(ResNet(18, True), (2, 16, 16, 3)),
        "resnet34": {"parameters": sum(p.numel() for p in ResNet(34, False).parameters())},
        "resnet50": describe(ResNet(50, False), (2, 64, 64, 3)),
        "mobilenetv2_small": describe(MobileNet(True), (2, 16, 16, 3)),
        "unet": describe(UNet(4, 2), (2, 8, 16, 1)),
    },
    sys.stdout,
    indent=1,
)
