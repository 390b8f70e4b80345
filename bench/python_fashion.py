#!/usr/bin/env python3
"""Classifier.fit on Fashion-MNIST against a plain PyTorch loop and scikit-learn's MLPClassifier, in one run.

    python bench/python_fashion.py [--epochs 5] [--rounds 3] [--data /usr/share/datasets/fashion-mnist]

All train 784-256-128-10 with ReLU, batches of 128 in a new order each epoch, and Adam at 1e-3, on float32 pictures with as
many threads as there are processors. Prints seconds an epoch (all of fit, over its epochs; the fastest round), the accuracy
on the test pictures, and the ratios. Needs torch and scikit-learn.
"""

import argparse
import gzip
import pathlib
import sys
import time

import numpy as np

HIDDEN, BATCH, RATE = (256, 128), 128, 1e-3


def read(folder, part):
    def bytes_of(name):
        for suffix, opener in (("", open), (".gz", gzip.open)):
            path = pathlib.Path(folder) / (name + suffix)
            if path.exists():
                with opener(path, "rb") as file:
                    return file.read()
        raise FileNotFoundError(f"{folder}/{name}")

    x = np.frombuffer(bytes_of(f"{part}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 28, 28)
    y = np.frombuffer(bytes_of(f"{part}-labels-idx1-ubyte"), np.uint8, offset=8).astype(np.int64)
    return np.float32(x) / 255, y


def pellucid(x, y, epochs):
    import pellucid as pl

    model = pl.Classifier(HIDDEN, batch_size=BATCH, optimizer="adam", learning_rate=RATE, max_epochs=epochs, validation=0)
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start, model.predict


def pytorch(x, y, epochs):
    import torch
    from torch import nn

    start = time.perf_counter()
    network = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer, loss = torch.optim.Adam(network.parameters(), RATE), nn.CrossEntropyLoss()
    inputs, targets = torch.from_numpy(x.reshape(-1, 784)), torch.from_numpy(y)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad()
            loss(network(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start

    def predict(z):
        with torch.no_grad():
            return network(torch.from_numpy(z.reshape(-1, 784))).argmax(1).numpy()

    return seconds, predict


def scikit_learn(x, y, epochs):
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    model = MLPClassifier(HIDDEN, batch_size=BATCH, learning_rate_init=RATE, max_iter=epochs)
    start = time.perf_counter()
    model.fit(x.reshape(-1, 784), y)
    return time.perf_counter() - start, lambda z: model.predict(z.reshape(-1, 784))


PEERS = pellucid, pytorch, scikit_learn
MOST = {"pytorch": 0.5, "scikit_learn": 0.25}  # of their time


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    x, y = read(options.data, "train")
    test_x, test_y = read(options.data, "t10k")
    seconds, accuracy = {peer.__name__: [] for peer in PEERS}, {}
    for peer in PEERS:  # what loads and compiles once is not measured
        peer(x[:1000], y[:1000], 1)
    for _ in range(options.rounds):
        for peer in PEERS:
            taken, predict = peer(x, y, options.epochs)
            seconds[peer.__name__].append(taken / options.epochs)
            accuracy[peer.__name__] = (predict(test_x) == test_y).mean()
    for name, rounds in seconds.items():
        print(f"{name:14} {min(rounds):7.3f} s an epoch, accuracy {accuracy[name]:.4f}; rounds: "
              + " ".join(f"{s:.3f}" for s in rounds))
    holds = True
    for name, most in MOST.items():
        ratio = min(seconds["pellucid"]) / min(seconds[name])
        rounds = " ".join(f"{ours / theirs:.3f}" for ours, theirs in zip(seconds["pellucid"], seconds[name]))
        print(f"pellucid / {name}: {ratio:.3f} (at most {most:.2f}); round by round: {rounds}")
        holds = holds and ratio <= most
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
