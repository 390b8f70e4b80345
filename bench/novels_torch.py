#!/usr/bin/env python3
"""The network of examples/novels_gpt in PyTorch: the same text, recipe, time and measure of what was learned.

Run with a Python that has torch and numpy, after scripts/novels.sh: novels_torch.py [--seconds 300] [--threads 2]
"""

import argparse
import math
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PLACE = Path(__file__).resolve().parent.parent / "build/novels/Rdata.rdb"


def texts():
    """The novels as bytes; see examples/novels.h."""
    data = PLACE.read_bytes()
    at = 0
    while at + 4 < len(data):
        stream = zlib.decompressobj()
        block = stream.decompress(data[at + 4 :])
        at = len(data) - len(stream.unused_data)
        version, _, _ = struct.unpack_from(">3i", block, 2)
        place = 14
        if version == 3:
            place += 4 + struct.unpack_from(">i", block, place)[0]
        flags, count = struct.unpack_from(">2i", block, place)
        if flags & 0xFF != 16:
            continue
        place += 8
        lines = []
        for _ in range(count):
            size = struct.unpack_from(">i", block, place + 4)[0]
            place += 8
            lines.append(block[place : place + max(size, 0)] + b"\n")
            place += max(size, 0)
        yield b"".join(lines)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = [
            part.reshape(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.query_key_value(self.norm1(x)).split(width, -1)
        ]
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.projection(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, vocabulary, length, width, heads, blocks):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = "projection" in name or "contract" in name
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * blocks) if deep else 0.02)
            elif "bias" in name:
                nn.init.zeros_(weight)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def rate_share(done):
    if done < 0.05:
        return done / 0.05
    return 0.05 + 0.95 * (1 + math.cos(math.pi * (done - 0.05) / 0.95)) / 2


def corpus():
    """The number of characters, and the texts to learn from and to measure by, as examples/novels.h cuts them."""
    novels = [np.frombuffer(text, np.uint8) for text in texts()]
    characters = np.unique(np.concatenate(novels))
    number = np.zeros(256, np.uint8)
    number[characters] = np.arange(len(characters))
    cuts = [len(text) // 10 * 9 for text in novels]
    training = torch.from_numpy(np.concatenate([number[t[:c]] for t, c in zip(novels, cuts)]))
    held_out = torch.from_numpy(np.concatenate([number[t[c:]] for t, c in zip(novels, cuts)]))
    return len(characters), training, held_out


def windows(text, starts, length):
    return text[starts[:, None] + torch.arange(length)].long()


def train(network, optimiser, training, a):
    """Trains for a.seconds; the number of steps."""
    begin = time.perf_counter()
    steps = 0
    while (done := (time.perf_counter() - begin) / a.seconds) < 1:
        optimiser.param_groups[0]["lr"] = a.rate * rate_share(done)
        window = windows(training, torch.randint(0, len(training) - a.length, (a.batch,)), a.length + 1)
        logits = network(window[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), window[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1)
        optimiser.step()
        steps += 1
    return steps


def bits_per_character(network, held_out, length):
    total, places, n = 0.0, 1024, 32
    with torch.no_grad():
        for first in range(0, places, n):
            starts = torch.arange(first, first + n) * (len(held_out) - length - 1) // places
            window = windows(held_out, starts, length + 1)
            scores = F.log_softmax(network(window[:, :-1]), -1)
            chosen = scores.gather(-1, window[:, 1:, None])[:, length // 2 :]
            total -= chosen.mean().item()
    return total * n / places / math.log(2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--features", type=int, default=192)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)

    characters, training, held_out = corpus()
    network = GPT(characters, a.length, a.features, a.heads, a.blocks)
    optimiser = torch.optim.AdamW(network.parameters(), lr=a.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    forward = torch.compile(network) if a.compile else network
    begin = time.perf_counter()
    steps = train(forward, optimiser, training, a)
    print(f"{steps} steps in {time.perf_counter() - begin:.1f} s", flush=True)
    print(f"held out: {bits_per_character(network, held_out, a.length):.3f} bits per character")


if __name__ == "__main__":
    main()
