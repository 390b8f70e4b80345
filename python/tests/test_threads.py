"""Threads and fork: the same results, and no deadlock."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import pellucid as pl


def in_threads(work, count=8):
    results, errors = [None] * count, []

    def run(i):
        try:
            results[i] = work(i)
        except BaseException as error:  # noqa: B036
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not any(t.is_alive() for t in threads) and not errors, errors
    return results


def loss(w, x):
    return pl.mean(pl.tanh(x @ w) ** 2)


def test_threads_share_arrays_that_have_no_value_yet():
    x = pl.random.normal(pl.random.key(0), (64, 64))
    for _ in range(20):
        y = pl.tanh(x @ x) + 1
        assert len({y.numpy().tobytes() for y in in_threads(lambda i: y * 1.0, 4)} | {(y * 1.0).numpy().tobytes()}) == 1


def test_threads_share_a_compiled_function():
    f = pl.compile(pl.value_and_grad(loss))
    w = pl.random.normal(pl.random.key(0), (32, 32))
    xs = [pl.random.normal(pl.random.key(i), (16 + i % 2, 32)) for i in range(8)]
    expected = [pl.value_and_grad(loss)(w, x)[1].numpy() for x in xs]

    def work(i):
        for _ in range(50):
            g = f(w, xs[i])[1].numpy()
        return g

    assert all(np.array_equal(a, b) for a, b in zip(in_threads(work), expected))
    assert f.signatures == 2


def test_threads_step_their_own_states_with_one_function():
    optimizer = pl.optim.Adam(1e-2)
    step = pl.compile(pl.optim.training_step(loss, optimizer))
    x = pl.random.normal(pl.random.key(1), (8, 32))

    def work(i):
        w = pl.random.normal(pl.random.key(0), (32, 32))
        state = [[w], optimizer.init([w])]
        step_of = pl.compile(pl.optim.training_step(lambda w, x: loss(w[0], x), optimizer)) if i % 2 else shared
        for _ in range(100):
            step_of.step(state, x)
        return state[0][0].numpy()

    shared = pl.compile(pl.optim.training_step(lambda w, x: loss(w[0], x), optimizer))
    assert len({r.tobytes() for r in in_threads(work)}) == 1
    assert step.signatures == 0


def test_transforms_and_modules_in_threads():
    def work(i):
        net = pl.nn.Sequential(pl.nn.Linear(4, 8), pl.nn.ReLU(), pl.nn.Linear(8, 1)).initialize(pl.random.key(7))
        g = pl.grad(lambda n, x: pl.sum(n(x)))(net, pl.ones((3, 4)))
        h = pl.vmap(pl.grad(lambda x: pl.sum(net(x))))(pl.ones((3, 4)))
        return b"".join(v.numpy().tobytes() for v in (*g.values(), h))

    assert len(set(in_threads(work))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_computes_after_fork():
    x = pl.random.normal(pl.random.key(0), (512, 512))
    f = pl.compile(lambda a: a @ a)
    expected = f(x).numpy().tobytes()
    for _ in range(3):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            code = 1
            try:
                net = pl.nn.Sequential(pl.nn.Linear(512, 1))
                pl.fit(net, (x, pl.ones((512, 1))), loss="huber", max_epochs=2, batch_size=64)
                code = 0 if f(x).numpy().tobytes() == expected and (x @ x).numpy().tobytes() == expected else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert f(x).numpy().tobytes() == expected


def test_the_interpreter_ends_while_things_are_alive():
    program = """
import threading, pellucid as pl
f = pl.compile(lambda x: x + 1)
y = f(pl.ones(3))
state = {"w": pl.ones(3), "f": f}
net = pl.nn.Sequential(lambda x: x * 2, pl.nn.Linear(3, 1))
threading.Thread(target=lambda: pl.fit(net, (pl.ones((4, 3)), pl.ones((4, 1))), loss="huber", max_epochs=10**9,
                                       max_seconds=0.5), daemon=True).start()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""
