#!/usr/bin/env python3
"""The network of examples/novels_lstm in PyTorch, for the same wall time, text, recipe and measure; with --ours the
example runs first, and both results are printed.

Run with a Python that has torch and numpy, after scripts/novels.sh:
    novels_lstm_torch.py [--seconds 300] [--threads 2] [--ours build/release/examples/novels_lstm]
"""

import argparse
import re
import subprocess

import torch
from novels_torch import bits_per_character, corpus, train
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

    symbols, training, held_out = corpus()
    network = Characters(symbols, a.features, a.hidden, a.layers)
    optimiser = torch.optim.Adam(network.parameters(), lr=a.rate, fused=True)
    steps = train(network, optimiser, training, a)
    print(f"torch: {steps} steps, held out {bits_per_character(network, held_out, a.length):.3f} bits per character")


if __name__ == "__main__":
    main()
