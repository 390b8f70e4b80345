"""Networks that torch alone has beside ours: MobileNetV2, a U-Net, a GRU, a bidirectional LSTM, an encoder."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def convolution(channels_in, channels_out, kernel, stride=1, groups=1):
    padding = kernel // 2
    return nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False)


class InvertedResidual(nn.Module):
    def __init__(self, channels_in, channels_out, stride, expansion):
        super().__init__()
        wide = channels_in * expansion
        layers = []
        if expansion != 1:
            layers += [convolution(channels_in, wide, 1), nn.BatchNorm2d(wide), nn.ReLU6()]
        layers += [convolution(wide, wide, 3, stride, wide), nn.BatchNorm2d(wide), nn.ReLU6()]
        layers += [convolution(wide, channels_out, 1), nn.BatchNorm2d(channels_out)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def mobilenet_v2():
    """For pictures of 32 x 32: the stem and the stage of 24 channels keep their size."""
    layers = [convolution(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU6()]
    channels_in = 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, channels_out, blocks, first_stride in stages:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            layers.append(InvertedResidual(channels_in, channels_out, stride, expansion))
            channels_in = channels_out
    layers += [convolution(320, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def unet_stage(channels_in, channels_out):
    layers = []
    for channels in (channels_in, channels_out):
        layers += [convolution(channels, channels_out, 3), nn.BatchNorm2d(channels_out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Two classes for each pixel; 16 channels at full size, twice as many at each of three halvings."""

    def __init__(self):
        super().__init__()
        widths = [16, 32, 64, 128]
        self.down = nn.ModuleList(unet_stage(i, o) for i, o in zip([1, *widths], widths))
        upwards = list(zip(widths[:0:-1], widths[-2::-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in upwards)
        self.merge = nn.ModuleList(unet_stage(i, o) for i, o in upwards)
        self.head = nn.Conv2d(16, 2, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        kept = []
        for level, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        kept.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([kept.pop(), up(x)], 1))
        return self.head(x)


class Characters(nn.Module):
    """Logits at each of 64 steps."""

    def __init__(self, recurrent, width):
        super().__init__()
        self.embedding = nn.Embedding(65, 128)
        self.recurrent = recurrent
        self.head = nn.Linear(width, 65)

    def forward(self, tokens):
        hidden, _ = self.recurrent(self.embedding(tokens))
        return self.head(hidden).reshape(-1, 65)


def gru():
    return Characters(nn.GRU(128, 256, batch_first=True), 256)


def bidirectional_lstm():
    return Characters(nn.LSTM(128, 256, batch_first=True, bidirectional=True), 512)


class Encoder(nn.Module):
    """Four pre-norm blocks of 256 features and 4 heads over 128 tokens, sinusoidal positions."""

    def __init__(self, block, width=256, length=128):
        super().__init__()
        self.embedding = nn.Embedding(65, width)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        angle = torch.arange(length)[:, None] * rate
        self.position = torch.stack([torch.sin(angle), torch.cos(angle)], -1).reshape(length, width)
        self.blocks = nn.ModuleList([block(width, 4, causal=False) for _ in range(4)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 65)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)).reshape(-1, 65)
