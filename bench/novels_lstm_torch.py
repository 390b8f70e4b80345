#!/usr/bin/env python3
"""The network of examples/novels_lstm in PyTorch, for the same wall time, text, recipe and measure; with --ours the
example runs first, and both results are printed.

Run with a Python that has torch and numpy, after scripts/novels.sh:
    novels_lstm_torch.py [--seconds 300] [--threads 2] [--ours build/release/examples/novels_lstm]
"""

import argparse
import math
import re
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F
from novels_torch import rate_share, texts
from torch import nn


class Characters(nn.Module):
    def __init__(self, symbols, features, hidden, layers):
        super().__init__()
        self.embedding = nn.Embedding(symbols, features)
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, symbols)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0])


def ours(program, a):
    words = [program]
    for name in ("seconds", "threads", "features", "hidden", "layers", "length", "batch", "rate"):
        words += [f"--{name}", str(getattr(a, name))]
    out = subprocess.run(words + ["--write", "1"], capture_output=True, text=True, check=True).stdout
    return re.search(r"(\d+) steps in", out)[1], re.search(r"held out: ([\d.]+)", out)[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--features", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--ours")
    a = parser.parse_args()
    if a.ours:
        steps, bits = ours(a.ours, a)
        print(f"pellucid: {steps} steps, held out {bits} bits per character", flush=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)

    novels = [np.frombuffer(text, np.uint8) for text in texts()]
    characters = np.unique(np.concatenate(novels))
    number = np.zeros(256, np.uint8)
    number[characters] = np.arange(len(characters))
    cuts = [len(text) // 10 * 9 for text in novels]
    training = torch.from_numpy(np.concatenate([number[t[:c]] for t, c in zip(novels, cuts)]))
    held_out = torch.from_numpy(np.concatenate([number[t[c:]] for t, c in zip(novels, cuts)]))

    network = Characters(len(characters), a.features, a.hidden, a.layers)
    optimiser = torch.optim.Adam(network.parameters(), lr=a.rate, fused=True)

    def windows(text, starts, length):
        return text[starts[:, None] + torch.arange(length)].long()

    begin = time.perf_counter()
    steps = 0
    while (done := (time.perf_counter() - begin) / a.seconds) < 1:
        optimiser.param_groups[0]["lr"] = a.rate * rate_share(done)
        window = windows(training, torch.randint(0, len(training) - a.length, (a.batch,)), a.length + 1)
        logits = network(window[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, len(characters)), window[:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1)
        optimiser.step()
        steps += 1

    total, places, n = 0.0, 1024, 32
    with torch.no_grad():
        for first in range(0, places, n):
            starts = torch.arange(first, first + n) * (len(held_out) - a.length - 1) // places
            window = windows(held_out, starts, a.length + 1)
            scores = F.log_softmax(network(window[:, :-1]), -1)
            chosen = scores.gather(-1, window[:, 1:, None])[:, a.length // 2 :]
            total -= chosen.mean().item()
    print(f"torch: {steps} steps, held out {total * n / places / math.log(2):.3f} bits per character")


if __name__ == "__main__":
    main()
