"""Optimisers, schedules, losses, metrics and initialisers: their Python form; their numbers are C++'s own tests'."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import pellucid as pl

RULES = [getattr(pl.optim, n) for n in
         "SGD Adam AdamW AMSGrad NAdam RAdam Adamax RMSprop Adagrad Adadelta Lion LAMB".split()]
LOSSES = [n for n in pl.loss.__all__ if n[0].islower() and n != "reduce"]


def weights():
    return {"layers": [{"weight": pl.ones((2, 3)), "bias": pl.zeros(3)}], "scale": pl.asarray(2.0, dtype=pl.float32),
            "count": 3}


def value(w):
    layer = w["layers"][0]
    return pl.sum(layer["weight"] ** 2) + pl.sum((layer["bias"] - 1) ** 2) * w["scale"]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_goes_down_compiled_and_not(rule):
    optimizer = rule(learning_rate=0.02)
    w, compiled = weights(), [weights(), None]
    state = optimizer.init(w)
    compiled[1] = optimizer.init(compiled[0])
    assert len(optimizer.state_names(w)) == len(state)
    step = pl.compile(pl.optim.training_step(value, optimizer))
    first = value(w).item()
    for _ in range(3):
        w, state = optimizer.update(w, pl.grad(value)(w), state)
        step.step(compiled)
    assert value(w).item() < first and w["count"] == 3
    assert np.array_equal(w["layers"][0]["weight"], compiled[0]["layers"][0]["weight"])
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer == copy.deepcopy(optimizer) != rule()
    assert repr(optimizer).startswith(f"{rule.__name__}(learning_rate=0.02, ")
    with pytest.raises(ValueError, match="rate"):
        rule(learning_rate=-1)
    with pytest.raises(AttributeError, match="do not change"):
        optimizer.learning_rate = 3
    with pytest.raises(TypeError, match="a learning rate is a number, a schedule or a function"):
        rule(learning_rate="fast")


def test_what_goes_around_a_rule():
    optimizer = pl.optim.Optimizer(
        pl.optim.SGD(0.1, momentum=0.9), groups=[pl.optim.Group("*.bias", learning_rate=0.0)], clip_global_norm=1.0,
        average=0.5, l2=0.1,
    )
    assert "clip_global_norm=1" in repr(optimizer) and optimizer.rule == pl.optim.SGD(0.1, momentum=0.9)
    w = weights()
    state = optimizer.init(w)
    moved, state = optimizer.update(w, pl.grad(value)(w), state)
    assert np.array_equal(moved["layers"][0]["bias"], w["layers"][0]["bias"])
    assert not np.array_equal(moved["scale"], w["scale"])
    assert list(optimizer.averages(moved, state)) == ["layers.0.bias", "layers.0.weight", "scale"]
    assert optimizer.penalty(w).item() == pytest.approx(0.05 * (6 + 4))
    assert optimizer.learning_rate(state) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="nothing|no parameter|match"):
        pl.optim.Optimizer("sgd", groups=[pl.optim.Group("nothing")]).init(w)
    with pytest.raises(ValueError, match="no entry 'layers.0.bias'"):
        optimizer.update(w, {"layers": [{"weight": w["scale"]}], "scale": w["scale"]}, state)
    with pytest.raises(TypeError, match="the state is the list"):
        optimizer.update(w, pl.grad(value)(w), 3)
    with pytest.raises(TypeError, match="no floating array"):
        optimizer.init({"a": pl.arange(3)})


def test_modules_and_dataclasses_are_updated():
    net = pl.nn.Sequential(pl.nn.Linear(2, 2), pl.nn.BatchNorm1d(2))
    net.freeze("0.bias")
    optimizer = pl.optim.SGD(0.1)
    before = net.state_dict()
    gradients = {k: pl.ones_like(v) for k, v in net.trainable_parameters().items()}
    same, _ = optimizer.update(net, gradients, optimizer.init(net))
    assert same is net and np.array_equal(net[0].bias.value, before["0.bias"])
    np.testing.assert_allclose(net[0].weight.value, before["0.weight"] - 0.1, rtol=1e-6)

    @dataclasses.dataclass(frozen=True)
    class Weights:
        w: object
        name: str

    one = Weights(pl.ones(2), "one")
    moved, _ = optimizer.update(one, Weights(pl.ones(2), None), optimizer.init(one))
    np.testing.assert_allclose(moved.w, [0.9, 0.9])
    assert moved.name == "one"


def test_minimisers():
    found = pl.optim.minimize(lambda w: pl.sum((w["a"] - 3) ** 2), {"a": pl.zeros(3)})
    np.testing.assert_allclose(found.parameters["a"], 3, atol=1e-5)
    assert found.stop == "gradient below the tolerance" and "Minimum(value=" in repr(found)
    seen = []
    x, y = pl.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]]), pl.asarray([[0.0], [1], [1], [0]])
    net = pl.nn.Sequential(pl.nn.Linear(2, 4), pl.nn.Tanh(), pl.nn.Linear(4, 1)).initialize(pl.random.key(0))
    found = pl.optim.least_squares(lambda n: n(x) - y, net, pl.optim.LevenbergMarquardt(observer=seen.append))
    assert found.parameters is net and found.value < 1e-6 and len(seen) == found.iterations
    np.testing.assert_allclose(net(x), y, atol=1e-2)
    with pytest.raises(ZeroDivisionError):
        pl.optim.minimize(lambda w: 1 / 0, pl.zeros(3))


def test_schedules():
    for name in pl.schedule.names():
        assert max(pl.schedule.by_name(name, 0.1, 100).at(i) for i in range(100)) > 0
    rate = pl.schedule.WarmUp(steps=10, then=pl.schedule.Cosine(0.1, steps=90))
    assert rate.at(10) == pytest.approx(0.1) and rate(pl.asarray(10)).item() == pytest.approx(0.1)
    assert pickle.loads(pickle.dumps(rate)) == rate and rate.then.initial == 0.1
    own = pl.optim.SGD(lambda step: 0.5 / (step + 1))
    w, state = pl.ones(1), own.init(pl.ones(1))
    w, state = own.update(w, pl.ones(1), state)
    w, state = own.update(w, pl.ones(1), state)
    assert w.item() == pytest.approx(1 - 0.5 - 0.25)
    with pytest.raises(ValueError, match="steps"):
        pl.schedule.Cosine(steps=0)
    tracker = pl.schedule.PlateauTracker(pl.schedule.OnPlateau(patience=0, factor=0.5))
    assert [tracker.observe(v) for v in (1.0, 1.0)] == [1.0, 0.5] and tracker.best == 1.0


def test_losses_are_classes_and_functions():
    kinds = {n.replace("_", "").lower(): n for n in pl.loss.__all__ if n[0].isupper()}
    for name in LOSSES:
        function = getattr(pl.loss, name)
        assert type(function).__name__ == kinds[name.replace("_", "")] and type(function).__doc__
        assert function == type(function)() and pickle.loads(pickle.dumps(function)) == function
    p, t = pl.asarray([[1.0], [2.0]]), pl.asarray([[0.0], [0.0]])
    assert pl.loss.mean_squared_error(p, t).item() == 2.5
    assert pl.loss.MeanSquaredError(reduction="none")(p, t).tolist() == [[1.0], [4.0]]
    assert pl.loss.mean_squared_error(p, t, weights=[1.0, 0.0]).item() == 1.0
    assert pl.loss.CrossEntropy(class_weights=[1.0, 2.0])(pl.zeros((2, 2)), [0, 1]).item() == pytest.approx(0.6931472)
    assert pl.loss.reduce(p, "sum").item() == 3.0
    with pytest.raises(ValueError, match="reduction is 'mean', 'sum' or 'none', not 'all'"):
        pl.loss.Huber(reduction="all")


def test_metrics():
    assert pl.metrics.accuracy([0, 1, 1], [0, 1, 0]) == pytest.approx(2 / 3)
    assert pl.metrics.confusion_matrix([0, 1, 1], [0, 1, 0]).tolist() == [[1, 1], [0, 1]]
    assert pl.metrics.scores([0, 1, 1], [0, 1, 0])["recall"] == 1.0
    assert pl.metrics.f1([0, 1, 1], [0, 1, 0], average="micro") == pytest.approx(2 / 3)
    assert pl.metrics.roc_auc([0.1, 0.9], [0, 1]) == 1.0
    assert pl.metrics.top_k_accuracy([[0.1, 0.5, 0.4]], [2], k=2) == 1.0
    assert pl.metrics.r2(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 1.0
    with pytest.raises(ValueError, match="average is"):
        pl.metrics.precision([0], [0], average="all")


def test_initializers():
    key = pl.random.key(0)
    for name in pl.init.__all__:
        if name in ("Initializer", "constant", "fans", "gain"):
            continue
        made = getattr(pl.init, name)()
        assert made(key, (3, 4)).shape == (3, 4) and name in repr(made)
        assert np.array_equal(pickle.loads(pickle.dumps(made))(key, (3, 4)), made(key, (3, 4)))
    assert pl.init.constant(3.0)(key, 2, dtype="float64").tolist() == [3.0, 3.0]
    assert pl.init.fans((3, 3, 8, 16)) == (72.0, 144.0) and pl.init.gain("tanh") == pytest.approx(5 / 3)
    with pytest.raises(ValueError, match="there is no nonlinearity"):
        pl.init.gain("step")
    with pytest.raises(ValueError, match="fan is 'in' or 'out'"):
        pl.init.he_normal("both")
    with pytest.raises(ValueError, match="uniform"):
        pl.init.uniform(1.0, 0.0)
