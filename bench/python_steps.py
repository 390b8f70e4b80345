#!/usr/bin/env python3
"""Whole training steps from Python, beside bench/steps: the same networks, one call of step() for each step.

    python bench/python_steps.py [WORKLOAD...]

Prints one JSON line for each workload, in microseconds per step, as bench/steps and the peers do. With
--against build/release/bench/steps it runs that program in turn with itself, three rounds for each workload, prints how much
longer a step takes from Python than from C++, and exits with 1 where that is more than 2 us and more than 3 %.
PELLUCID_BENCH_SECONDS=S times each workload for S seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import pellucid as pl


def layers(sizes, scale):
    w = []
    for i, shape in enumerate(zip(sizes, sizes[1:])):
        w += [pl.random.normal(pl.random.key(i), shape, 0, scale), pl.zeros(shape[1])]
    return w


def forward(w, h):
    for i in range(0, len(w), 2):
        h = pl.linear(h, w[i], w[i + 1])
        if i + 2 < len(w):
            h = pl.nn.relu(h)
    return h


def normal(seed, *shape):
    return pl.random.normal(pl.random.key(seed), shape).evaluate()


def integers(seed, below, *shape):
    return pl.random.integers(pl.random.key(seed), shape, 0, below).evaluate()


def training(loss, parameters, optimizer, inputs):
    state = [parameters, optimizer.init(parameters)]
    return pl.compile(pl.optim.training_step(loss, optimizer)), state, inputs


def xor():
    x, y = pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]]), pl.asarray([[0.0], [1], [1], [0]])
    loss = lambda w: pl.mean(pl.square(forward(w, x) - y))  # noqa: E731
    return training(loss, layers([2, 4, 1], 1), pl.optim.SGD(0.1), ())


def xor_module():
    x, y = pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]]), pl.asarray([[0.0], [1], [1], [0]])
    net = pl.nn.Sequential(pl.nn.Linear(2, 4), pl.nn.ReLU(), pl.nn.Linear(4, 1))
    return training(lambda net, x, y: pl.loss.mean_squared_error(net(x), y), net, pl.optim.SGD(0.1), (x, y))


def mnist_mlp():
    loss = lambda w, x, y: pl.loss.cross_entropy(forward(w, x), y)  # noqa: E731
    inputs = normal(7, 128, 784), integers(8, 10, 128)
    return training(loss, layers([784, 256, 128, 10], 0.05), pl.optim.Adam(1e-3), inputs)


def of_network(net, optimizer, inputs, flat=None):
    def loss(net, x, y):
        with pl.nn.Context(pl.random.key(0)):
            logits = net(x)
        if flat:
            logits, y = pl.reshape(logits, (-1, flat)), pl.reshape(y, (-1,))
        return pl.loss.cross_entropy(logits, y)

    return training(loss, net, optimizer, inputs)


def lenet():
    return of_network(pl.nn.LeNet5(), pl.optim.SGD(0.01), (normal(1, 64, 28, 28, 1), integers(2, 10, 64)))


def resnet18():
    net = pl.nn.resnet18(channels=3, classes=10, small_pictures=True)
    return of_network(net, pl.optim.SGD(0.01), (normal(1, 32, 32, 32, 3), integers(2, 10, 32)))


class Characters(pl.nn.Module):
    def __init__(self):
        self.embedding = pl.nn.Embedding(65, 128)
        self.recurrent = pl.nn.LSTM(128, 256)
        self.head = pl.nn.Linear(256, 65)

    def __call__(self, x):
        return self.head(self.recurrent(self.embedding(x)))


def lstm():
    return of_network(Characters(), pl.optim.Adam(1e-3), (integers(1, 65, 32, 64), integers(2, 65, 32, 64)))


def gpt():
    net = pl.nn.GPT(vocabulary=65, length=256)
    return of_network(net, pl.optim.Adam(1e-3), (integers(7, 65, 4, 256), integers(8, 65, 4, 256)), flat=65)


# name: (make, steps before timing, seconds)
WORKLOADS = {
    "xor": (xor, 5, 3),
    "xor_module": (xor_module, 5, 3),
    "mnist_mlp_b128": (mnist_mlp, 5, 3),
    "lenet_b64": (lenet, 5, 3),
    "resnet18_b32": (resnet18, 2, 8),
    "lstm_b32": (lstm, 5, 3),
    "gpt_b4": (gpt, 1, 5),
}


def measure(name):
    """(median, fastest) microseconds of a step, in chunks of at least 2 ms."""
    make, warm_up, seconds = WORKLOADS[name]
    seconds = float(os.environ.get("PELLUCID_BENCH_SECONDS", seconds))
    compiled, state, inputs = make()
    step, clock = compiled.step, time.perf_counter
    for _ in range(warm_up):
        step(state, *inputs)
    chunk, times, begin = 1, [], clock()
    while True:
        start = clock()
        for _ in range(chunk):
            step(state, *inputs)
        us = 1e6 * (clock() - start)
        if us < 2000 and not times:
            chunk *= 4
            continue
        times.append(us / chunk)
        if clock() - begin > seconds and len(times) >= 3:
            return statistics.median(times), min(times)


def against(program, names, rounds=3):
    """Each workload from Python and from C++ in turn. The fastest of each side count, the rounds show what noise there is."""
    held = True
    for name in names:
        twin = "xor" if name == "xor_module" else name
        pairs = []
        for _ in range(rounds):
            lines = [subprocess.run([*command, called], check=True, capture_output=True, text=True).stdout
                     for command, called in (([sys.executable, __file__], name), ([program], twin))]
            pairs.append([json.loads(line)["us_min"] for line in lines])
        ours, theirs = (min(side) for side in zip(*pairs))
        held = held and ours - theirs <= max(2, 0.03 * theirs)
        print(f"{name:16} C++ {theirs:11.2f} us   Python {ours:11.2f} us   {ours - theirs:+9.2f} us "
              f"{100 * (ours / theirs - 1):+7.1f} %   rounds: " + " ".join(f"{100 * (p / c - 1):+.1f}" for p, c in pairs),
              flush=True)
    return 0 if held else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--against")
    arguments = parser.parse_args()
    pl.set_threads(2)
    if arguments.against:
        return against(arguments.against, arguments.workloads)
    for name in arguments.workloads:
        median, fastest = measure(name)
        print(json.dumps({"peer": "pellucid_python", "workload": name, "us": round(median, 3),
                          "us_min": round(fastest, 3)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
