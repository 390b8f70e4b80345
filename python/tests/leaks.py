"""The long search for leaks: resident memory stays flat over 10^6 compiled steps, 10^5 arrays and so on.

Not a part of `make test`: scripts/python.sh leaks. Each case runs once to warm up, then in tenths; the memory of the last
tenths may be at most 1 MB above that of the first ones.
"""

import gc
import sys
import time

import numpy as np

import pellucid as pl

X, Y = pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]]), pl.asarray([[0.0], [1], [1], [0]])


def resident():
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def loss(w, x, y):
    return pl.mean((pl.nn.relu(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"] - y) ** 2)


def weights():
    return {"W1": pl.ones((2, 4)), "b1": pl.zeros(4), "W2": pl.ones((4, 1)), "b2": pl.zeros(1)}


def net():
    return pl.nn.Sequential(pl.nn.Linear(2, 4), pl.nn.Tanh(), pl.nn.Linear(4, 1))


def steps_in_place(n):
    optimizer = pl.optim.SGD(1e-3)
    step = pl.compile(pl.optim.training_step(loss, optimizer))
    w = weights()
    state = [w, optimizer.init(w)]
    for _ in range(n):
        step.step(state, X, Y)


def steps_of_modules(n):
    optimizer = pl.optim.Adam(1e-3)
    step = pl.compile(pl.optim.training_step(lambda net, x, y: pl.loss.mean_squared_error(net(x), y), optimizer))
    module = net()
    state = [module, optimizer.init(module)]
    for _ in range(n):
        step.step(state, X, Y)


def compiled_calls(n):
    f, w = pl.compile(pl.value_and_grad(loss)), weights()
    for _ in range(n):
        f(w, X, Y)


def uncompiled_gradients(n):
    w = weights()
    for _ in range(n):
        pl.value_and_grad(loss)(w, X, Y)[0].item()


def plans(n):
    for i in range(n):
        pl.compile(lambda x: x * 2 + i)(X)


def arrays(n):
    for i in range(n):
        (pl.zeros((64, 64)) + i).numpy()


def shared(n):
    values = np.ones((64, 64), np.float32)
    for _ in range(n):
        np.from_dlpack(pl.from_dlpack(values))
        pl.asarray(memoryview(values)).tolist


def errors(n):
    for _ in range(n):
        try:
            X @ X
        except ValueError:
            pass


def callbacks(n):
    for _ in range(n):
        pl.fit(net(), (X, Y), loss=lambda p, t: pl.mean((p - t) ** 2), max_epochs=2, on_epoch=lambda e: None)


def modules(n):
    class Own(pl.nn.Module):
        def __init__(self):
            self.inner, self.me = net(), self

        def __call__(self, x):
            return self.inner(x)

    for _ in range(n):
        Own()(X).numpy()


CASES = {steps_in_place: 10**6, steps_of_modules: 10**5, compiled_calls: 10**5, uncompiled_gradients: 10**4, plans: 1000,
         arrays: 10**5, shared: 10**5, errors: 10**4, callbacks: 300, modules: 1000}


def grows(case, count):
    """Bytes by which the last three of ten tenths are above the first three."""
    case(max(count // 10, 1))
    sizes = []
    for _ in range(10):
        case(max(count // 10, 1))
        sizes.append(resident())
    return sorted(sizes[-3:])[1] - sorted(sizes[:3])[1]


def main():
    failed = []
    for case, count in CASES.items():
        start = time.perf_counter()
        grown = grows(case, count)
        if grown > 2**20:
            failed.append(case.__name__)
        print(f"{case.__name__:22} {count:8} times: {grown / 1024:+8.0f} KB, {time.perf_counter() - start:6.1f} s",
              flush=True)
    if failed:
        sys.exit(f"memory grows: {', '.join(failed)}")


if __name__ == "__main__":
    main()
