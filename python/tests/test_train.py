"""fit, predict, evaluate: as in C++, callbacks, interruption, threads, results."""

import pickle
import signal
import sys
import threading
import time

import numpy as np
import pytest

import pellucid as pl

X = [[0, 0], [0, 1], [1, 0], [1, 1]]
Y = [[0], [1], [1], [0]]


def mlp(inputs=2, hidden=4):
    return pl.nn.Sequential(pl.nn.Linear(inputs, hidden), pl.nn.ReLU(), pl.nn.Linear(hidden, 1)).initialize(
        pl.random.key(0)
    )


class Net(pl.nn.Module):
    def __init__(self, inputs=3):
        self.hidden = pl.nn.Linear(inputs, 8)
        self.norm = pl.nn.BatchNorm1d(8)
        self.out = pl.nn.Linear(8, 1)
        self.initialize(pl.random.key(1))

    def __call__(self, x):
        return self.out(pl.tanh(self.norm(self.hidden(x))))


def problem(n=256):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return x, x @ np.array([[1.0], [-2.0], [0.5]], np.float32)


def state(module):
    return {k: v.numpy().copy() for k, v in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_the_textbook_problem_converges():
    net = mlp()
    result = pl.fit(net, (X, Y), loss=pl.loss.mean_squared_error, optimizer=pl.optim.SGD(learning_rate=0.1),
                    max_epochs=2000, tolerance=1e-6, restarts=20)
    assert result.converged and result.reason == "converged"
    assert repr(result).startswith("converged (loss below 1e-6) at epoch ")
    assert result.history[-1].epoch == result.epoch and result.history[0].loss > result.loss
    np.testing.assert_allclose(pl.predict(net, X).numpy(), Y, atol=5e-3)


def test_fit_is_the_loop_by_hand():
    x, y = problem(64)
    net, by_hand = Net(), Net()
    optimizer = pl.optim.Adam(1e-2)
    result = pl.fit(net, (x, y), loss="mean_squared_error", optimizer=optimizer, max_epochs=5)

    def loss(net, x, y):
        with pl.nn.Context(pl.random.key(0)):
            return pl.loss.mean_squared_error(net(x), y)

    step = pl.compile(pl.optim.training_step(loss, optimizer))
    s = [by_hand, optimizer.init(by_hand)]
    values = [step.step(s, x, y).item() for _ in range(5)]
    assert [e.loss for e in result.history] == values
    assert same(state(net), state(by_hand))


def test_python_modules_losses_and_metrics_take_part():
    x, y = problem()
    net, seen = Net(), []

    def loss(prediction, target, weights):
        return pl.mean((prediction - target) ** 2 * (1 if weights is None else weights[:, None]))

    def largest(prediction, target):
        return pl.max(pl.abs(prediction - target)).item()

    result = pl.fit(
        net, (x.astype(np.float64), y, np.ones(len(x))), loss=loss, batch_size=32, max_epochs=3, validation=(x, y),
        metrics=["r2", pl.Metric("largest", largest, larger_is_better=False)], on_epoch=seen.append,
        on_progress=lambda p: None, progress_seconds=0.0, optimizer="adam",
    )
    assert [e.epoch for e in seen] == [1, 2, 3] == [e.epoch for e in result.history]
    assert list(result.metrics) == ["r2", "largest"] and seen[-1].metrics[0] > seen[0].metrics[0]
    assert net.hidden.weight.dtype == pl.float32
    found = pl.evaluate(net, (x, y), loss, ["r2", largest])
    assert list(found.metrics) == ["r2", "largest"]
    assert found.metrics["r2"] == pytest.approx(result.metrics["r2"]) and found.loss > 0
    assert "Evaluation(loss=" in repr(found) and "validation_loss" in repr(seen[0])
    with pytest.raises(pl.Error, match="no rows|rows"):
        pl.predict(net, np.zeros((0, 3), np.float32))


def test_callbacks_stop_and_their_errors_come_through():
    x, y = problem()
    stopped = pl.fit(Net(), (x, y), loss="huber", max_epochs=50, on_epoch=lambda e: e.epoch < 3)
    assert stopped.reason == "stopped" and stopped.epoch == 3
    assert pl.fit(Net(), (x, y), loss="huber", max_epochs=50, on_epoch=lambda e: np.False_).epoch == 1
    net = Net()

    def fails(epoch):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        pl.fit(net, (x, y), loss="huber", on_epoch=fails)
    assert pl.fit(net, (x, y), loss="huber", max_epochs=2).epoch == 2
    with pytest.raises(KeyError, match="loss"):
        pl.fit(net, (x, y), loss=lambda p, t: {}["loss"])


@pytest.mark.parametrize(
    "kind, message, options",
    [
        (ValueError, "fit: no loss is given", dict(loss=None)),
        (ValueError, "'nothing' is unknown; there are", dict(loss="nothing")),
        (TypeError, "a loss is one of pellucid.loss", dict(loss=3)),
        (TypeError, "'batch_size' is an integer, not 2.5", dict(batch_size=2.5)),
        (TypeError, "'shuffle' is True or False, not 1", dict(shuffle=1)),
        (TypeError, "'on_epoch' is a function, not 1", dict(on_epoch=1)),
        (TypeError, "an optimizer is one of pellucid.optim", dict(optimizer=0.1)),
        (ValueError, "there is no optimiser 'sdg'", dict(optimizer="sdg")),
        (TypeError, "a metric is a name, a function", dict(metrics=[3])),
        (ValueError, "accurracy", dict(metrics=["accurracy"])),
        (TypeError, "validation: data is", dict(validation="a")),
        (ValueError, "has 256 examples and y .* has 2", dict(data=(problem()[0], [[1.0], [2.0]]))),
        (TypeError, "fit: data is", dict(data=3)),
        (TypeError, "a int is no module", dict(module=3)),
    ],
)
def test_what_does_not_fit_is_said(kind, message, options):
    arguments = dict(dict(module=Net(), data=problem(), loss="huber"), **options)
    with pytest.raises(kind, match=message):
        pl.fit(**arguments)


def endless(**options):
    x, y = problem()
    return pl.fit(options.pop("module", None) or Net(), (x, y), loss="huber", batch_size=8, max_epochs=10**9, **options)


def interrupt_soon():
    main = threading.main_thread().ident
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()


@pytest.fixture
def listening():
    """SIGINT is heard: a process that a shell starts in the background ignores it, and then so does fit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_after_the_running_step(listening):
    before = signal.getsignal(signal.SIGINT)
    interrupt_soon()
    result = endless()
    assert result.reason == "interrupted" and result.epoch > 0
    assert signal.getsignal(signal.SIGINT) is before
    net = Net()
    first = state(net)
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        endless(module=net, catch_interrupt=False)
    assert same(state(net), first)


def test_several_threads_train_at_once():
    x, y = problem()
    alone = Net()
    pl.fit(alone, (x, y), loss="huber", batch_size=16, max_epochs=20)
    nets = [Net() for _ in range(4)]
    threads = [
        threading.Thread(target=pl.fit, args=(n, (x, y)), kwargs=dict(loss="huber", batch_size=16, max_epochs=20))
        for n in nets
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(same(state(n), state(alone)) for n in nets)


def test_the_lock_is_released():
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    endless(max_seconds=0.3)
    done.set()
    thread.join()
    assert len(ticks) > 20


def test_a_checkpoint_is_taken_up(tmp_path):
    x, y = problem()
    options = dict(loss="huber", batch_size=16, max_epochs=6, seed=3)
    whole, parts = Net(), Net()
    pl.fit(whole, (x, y), **options)
    path = tmp_path / "training.safetensors"
    stopped = pl.fit(parts, (x, y), on_epoch=lambda e: e.epoch < 3, checkpoint=pl.Checkpoint(path, seconds=0), **options)
    assert stopped.reason == "stopped" and path.exists()
    pl.fit(parts, (x, y), checkpoint=path, **options)
    assert same(state(whole), state(parts)) and not path.exists()


def test_results_are_kept_and_drawn():
    x, y = problem()
    result = pl.fit(Net(), (x, y), loss="huber", max_epochs=3, validation=0.25, metrics="r2")
    again = pickle.loads(pickle.dumps(result))
    assert repr(again) == repr(result) and repr(again.history) == repr(result.history)
    assert again.reason == "maximum of epochs" and not again.converged
    try:
        import matplotlib
    except ImportError:
        with pytest.raises(ImportError, match="pip install matplotlib"):
            result.plot()
        return
    matplotlib.use("Agg")
    axes = result.plot()
    assert [line.get_label() for line in axes.get_lines()] == ["loss", "validation loss"]


def test_plot_without_matplotlib_says_what_to_do(monkeypatch):
    x, y = problem()
    result = pl.fit(Net(), (x, y), loss="huber", max_epochs=1)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        result.plot()


def test_the_bar(capsys, monkeypatch):
    x, y = problem()
    result = pl.fit(Net(), (x, y), loss="huber", max_epochs=2, progress=True)
    assert capsys.readouterr().err == str(result) + "\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    pl.fit(Net(), (x, y), loss="huber", max_epochs=200, batch_size=4, validation=0.5, metrics="r2", progress=True,
           progress_seconds=0.0)
    line = capsys.readouterr().err
    assert "epoch 200/200  loss" in line and "validation" in line and "r2" in line and "left" in line
    assert line.endswith("\n") and "maximum of epochs (200)" in line.rsplit("\r", 1)[1]


def test_the_bar_in_a_notebook(monkeypatch):
    shown = []

    class ZMQInteractiveShell:
        pass

    class Handle:
        def update(self, content, raw):
            shown.append(content["text/plain"])

    def display(content, raw, display_id):
        shown.append(content["text/plain"])
        return Handle()

    ipython = type(sys)("IPython")
    ipython.get_ipython = ZMQInteractiveShell
    ipython.display = type(sys)("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    x, y = problem()
    result = pl.fit(Net(), (x, y), loss="huber", max_epochs=3, progress=True)
    assert shown[-1] == str(result)


def test_a_dict_makes_one_training_of_several():
    def trained(*epochs, state=None):
        net = pl.nn.Linear(3, 1)
        net.initialize(pl.random.key(0))
        x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(20, 3)
        for count in epochs:
            pl.fit(net, (x, x[:, :1]), loss="mean_squared_error", max_epochs=count, batch_size=7, shuffle=False,
                   optimizer_state=state)
        return np.array(net.weight.value)

    state = {}
    assert (trained(1, 3, state=state) == trained(4)).all()
    assert int(state["step"]) == 12 and state["first_moment.weight"].shape == (3, 1)
    assert (trained(1, 3) != trained(4)).any()
    with pytest.raises(TypeError, match="fit: an optimizer_state is a dict of arrays by name"):
        trained(1, state=[])
    with pytest.raises(TypeError, match="fit_table: 'optimizer_states' is a list of dicts, not {}"):
        pl.fit_table({"a": [1.0, 2, 3], "b": [1.0, 2, 3]}, "b", optimizer_states={})
