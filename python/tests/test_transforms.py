"""Transforms over trees: values against NumPy, structures, errors, state in place."""

import dataclasses
import threading

import numpy as np
import pytest

import pellucid as pl


def loss(w, x, y):
    h = pl.nn.relu(x @ w["W1"] + w["b1"])
    return pl.mean((h @ w["W2"] + w["b2"] - y) ** 2)


def problem():
    key = pl.random.key(3)
    w = {
        "W1": pl.random.normal(key, (2, 4)),
        "b1": pl.zeros(4),
        "W2": pl.random.normal(pl.random.fold_in(key, 1), (4, 1)),
        "b2": pl.zeros(1),
    }
    return w, pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]]), pl.asarray([[0.0], [1], [1], [0]])


def test_gradients_have_the_arguments_structure_and_are_right():
    w, x, y = problem()
    value, g = pl.value_and_grad(loss)(w, x, y)
    assert list(g) == sorted(w)
    for name in w:
        v = np.array(w[name], copy=True)
        it = np.nditer(v, flags=["multi_index"])
        for _ in it:
            at = it.multi_index
            shifted = [dict(w), dict(w)]
            for d, sign in zip(shifted, (1, -1)):
                moved = v.copy()
                moved[at] += sign * 1e-2
                d[name] = pl.asarray(moved)
            numeric = (loss(shifted[0], x, y).item() - loss(shifted[1], x, y).item()) / 2e-2
            assert abs(numeric - g[name][at].item()) < 2e-2


def test_dataclasses_tuples_and_numbers():
    @dataclasses.dataclass
    class Weights:
        scale: object
        name: str

    def f(w, pair):
        return pl.sum(w.scale * pair[0]) * pair[1]

    w = Weights(pl.asarray([1.0, 2.0]), "text")
    g, h = pl.grad(f, (0, 1))(w, (pl.asarray([3.0, 4.0]), 2.0))
    assert g.name == "text" and g.scale.tolist() == [6.0, 8.0]
    assert h[0].tolist() == [2.0, 4.0] and h[1].item() == 11.0
    compiled = pl.compile(pl.grad(f))
    assert compiled(w, (pl.asarray([3.0, 4.0]), 2.0)).scale.tolist() == [6.0, 8.0]
    assert compiled(w, (pl.asarray([3.0, 4.0]), 3.0)).scale.tolist() == [9.0, 12.0]
    assert compiled.signatures == 1


def test_errors_name_what_is_wrong():
    w, x, y = problem()
    with pytest.raises(ValueError, match=r"\['b1'\]"):
        pl.grad(lambda w: pl.sum(w["W1"]))({"W1": x, "b1": x})
    with pytest.raises(TypeError, match="no floating array"):
        pl.grad(lambda n: n)(pl.arange(3))
    with pytest.raises(ValueError, match="not known here"):
        pl.compile(lambda x: x if x.item() > 0 else -x)(pl.asarray(1.0))

    def wrong(x):
        raise KeyError("mine")

    for f in (pl.grad(wrong), pl.compile(wrong), pl.vmap(wrong), pl.checkpoint(wrong), pl.jacobian(wrong)):
        with pytest.raises(KeyError, match="mine"):
            f(x)
    assert x.tolist()[1] == [0.0, 1.0]


def test_vmap_checkpoint_scan_custom():
    w, x, y = problem()
    each = pl.vmap(pl.grad(loss), in_axes=(None, 0, 0))(w, x, y)
    for i in range(4):
        one = pl.grad(loss)(w, x[i], y[i])
        for name in w:
            np.testing.assert_allclose(each[name][i], one[name], rtol=1e-6, atol=1e-7)
    assert pl.vmap(lambda a: a, in_axes=1, out_axes=1)(x).shape == (4, 2)
    plain, again = pl.grad(loss)(w, x, y), pl.grad(pl.checkpoint(loss))(w, x, y)
    assert all(np.array_equal(plain[n], again[n]) for n in w)
    last, ys = pl.scan(lambda c, v: ({"c": c["c"] + v}, c["c"] * v), {"c": 0.0}, pl.asarray([1.0, 2, 3]))
    assert last["c"].item() == 6 and ys.tolist() == [0, 2, 9]
    hundred = pl.custom(lambda a: a * a, lambda arguments, result, g: 100 * g)
    assert pl.grad(lambda a: pl.sum(hundred(a)))(pl.asarray([3.0])).tolist() == [100.0]
    out, pullback = pl.vjp(lambda a, b: {"p": a @ b}, x, w["W1"])
    np.testing.assert_allclose(pullback({"p": pl.ones((4, 4))})[1], np.asarray(x).T @ np.ones((4, 4)))
    with pytest.raises(ValueError, match="same structure"):
        pullback([pl.ones((4, 4))])


def test_a_step_changes_the_state_in_place_and_nothing_else():
    w, x, y = problem()
    mine = w["W1"]
    before = mine.numpy().copy()

    @pl.compile
    def step(w, x, y):
        value, g = pl.value_and_grad(loss)(w, x, y)
        return {k: w[k] - 0.1 * g[k] for k in w}, value

    by_hand = dict(w)
    for _ in range(5):
        value = step.step(w, x, y)
        g = pl.grad(loss)(by_hand, x, y)
        by_hand = {k: by_hand[k] - 0.1 * g[k] for k in w}
    assert np.array_equal(mine.numpy(), before) and mine is not w["W1"]
    assert all(np.array_equal(w[k], by_hand[k]) for k in w)
    kept = w["W1"]
    numbers = kept.numpy().copy()
    step.step(w, x, y)
    assert np.array_equal(kept, numbers) and not np.array_equal(w["W1"], numbers)
    assert isinstance(value.item(), float) and step.signatures == 1
    with pytest.raises(TypeError, match="tuple"):
        pl.compile(lambda s: (s, None)).step((mine, mine))


def test_modules_are_trees():
    class Net(pl.nn.Module):
        def __init__(self):
            self.hidden = pl.nn.Linear(2, 8)
            self.norm = pl.nn.BatchNorm1d(8)
            self.out = [pl.nn.Linear(8, 1)]

        def __call__(self, x):
            return self.out[0](pl.tanh(self.norm(self.hidden(x))))

    net = Net()
    _, x, y = problem()

    def net_loss(net, x, y):
        with pl.nn.Context(pl.random.key(0)):
            return pl.mean((net(x) - y) ** 2)

    assert list(net.state_dict())[:2] == ["hidden.weight", "hidden.bias"]
    before = net.norm.running_mean.value.numpy().copy()
    net.freeze("hidden.bias")
    _, g = pl.value_and_grad(net_loss)(net, x, y)
    assert sorted(g) == sorted(net.trainable_parameters()) and "hidden.bias" not in g
    assert not np.array_equal(net.norm.running_mean.value, before)

    @pl.compile
    def train(net, x, y):
        value, g = pl.value_and_grad(net_loss)(net, x, y)
        now = net.state_dict()
        net.update({k: now[k] - 0.3 * g[k] for k in g})
        return value

    first = train(net, x, y).item()
    for _ in range(200):
        last = train(net, x, y).item()
    assert last < first / 10 and train.signatures == 1
    copy = Net().load_state_dict(net.state_dict())
    np.testing.assert_array_equal(copy(x), net(x))


def test_threads_may_use_one_compiled_function():
    f = pl.compile(lambda x: pl.sum(pl.tanh(x) @ pl.transpose(x)))
    inputs = [pl.full((16, 16), i / 10) for i in range(8)]
    expected = [f(x).item() for x in inputs]
    wrong = []

    def work():
        for _ in range(50):
            for x, e in zip(inputs, expected):
                if f(x).item() != e:
                    wrong.append(e)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong


def test_a_loop_by_hand_does_not_compute_its_past_again():
    import time

    w, x, y = problem()

    def run(steps):
        nonlocal w
        start = time.perf_counter()
        for _ in range(steps):
            value, g = pl.value_and_grad(loss)(w, x, y)
            w = {name: w[name] - 0.1 * g[name] for name in w}
        value.item()
        return (time.perf_counter() - start) / steps

    run(20)
    early = run(20)
    run(300)
    assert min(run(20) for _ in range(5)) < 20 * early  # the least, since a machine may pause


def test_a_module_in_itself_is_refused():
    class Net(pl.nn.Module):
        def __init__(self):
            self.parts = [pl.nn.Linear(1, 1), self]

    with pytest.raises(ValueError, match="a Net is a member of itself"):
        Net().state_dict()
