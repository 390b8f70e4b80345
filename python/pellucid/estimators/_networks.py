"""Training of any network: the user's, or a dense one for pictures and for several targets at once."""

import copy

import numpy as np

from .. import _core, nn, optim, schedule
from .._core import predict
from .._train import fit
from ..random import fold_in, key
from . import _inputs


class Scaling:
    """How features become the network's inputs.

    kind: "table": columns by the engine's preprocessing; "columns": each column of a matrix to mean 0 and deviation 1,
    missing values as 0; "all": all numbers of a picture by one mean and deviation; "none": numbers as they are.
    """

    def __init__(self, kind, state=None):
        self.kind, self.state = kind, state

    @classmethod
    def fit(cls, features, y, own_network):
        if features.is_table:
            return cls("table", _core._fit_preprocessing(features.values))
        x = features.values
        if own_network:
            return cls("none")
        if x.ndim > 2:
            mean, deviation = _mean_and_deviation(x)
            return cls("all", (mean, deviation or 1.0))
        mean, deviation = np.nanmean(x, axis=0, dtype=np.float64), np.nanstd(x, axis=0, dtype=np.float64)
        deviation[~(deviation > 0)] = 1.0
        return cls("columns", (np.nan_to_num(mean), deviation))

    def __call__(self, features):
        """float32 (rows, ...), or integers where the network is the user's and they are given: an array of either library."""
        if self.kind == "table":
            return _core._encode(self.state, features.values)
        x = features.values
        if self.kind == "none":
            if x.dtype.kind == "f" and np.isnan(x).any():
                raise ValueError("Input X contains NaN, and a network of your own takes the numbers as they are; fill the "
                                 "missing ones, or give a table with column names")
            return x if x.dtype.kind in "iub" else np.ascontiguousarray(x, dtype=np.float32)
        center, spread = self.state
        if self.kind == "all":  # the engine's, since it goes over a large array once, with all its threads
            return ((_core.astype(_core.asarray(x), _core.float32) - float(center)) * float(1 / spread)).evaluate()
        return np.nan_to_num((x - center) / spread, copy=False).astype(np.float32)


def _mean_and_deviation(x):
    """Of all numbers: two passes by the engine, with all its threads."""
    x = _core.astype(_core.asarray(x), _core.float32)
    mean = float(_core.mean(x))
    return mean, float(_core.mean(_core.square(x - mean))) ** 0.5


class NetworkTraining:
    """A network, how features become its inputs, and how its outputs become predictions."""

    def __init__(self, network, scaling, kind, target):
        self.network, self.scaling, self.kind = network, scaling, kind  # kind: "classes", "labels" or "values"
        self.target = target  # of values: their mean and deviation
        self.moments = {}  # of the optimiser, where training goes on: fit's optimizer_state

    @classmethod
    def fit(cls, estimator, features, y, weights, classes, watch):
        """(training, FitResult). y: numbers of classes (rows,), or labels or values (rows, targets)."""
        kind = "values" if classes is None else "classes" if y.ndim == 1 else "labels"
        scaling = Scaling.fit(features, y, estimator.network is not None)
        x = scaling(features)
        outputs = len(classes) if kind == "classes" else 1 if y.ndim == 1 else y.shape[1]
        target = None
        if kind == "values":
            deviation = np.std(y, axis=0)
            target = (np.mean(y, axis=0), np.where(deviation > 0, deviation, 1.0))
        training = cls(_make_network(estimator, x.shape[1:], outputs), scaling, kind, target)
        return training, training._train(estimator, x, y, weights, classes, watch)

    def update(self, estimator, features, y, weights, classes, epochs, watch):
        """Goes on with the network; gives the FitResult."""
        self.moments = {} if self.moments is None else self.moments
        return self._train(estimator, self.scaling(features), y, weights, classes, watch, epochs)

    def _train(self, estimator, x, y, weights, classes, watch, epochs=None):
        if self.kind == "values":
            y = ((y - self.target[0]) / self.target[1]).astype(np.float32).reshape(len(x), -1)
        elif self.kind == "labels":
            y = y.astype(np.float32)
        if self.kind == "classes":
            weights = _inputs.with_class_weights(estimator.class_weight, classes, y, weights)
        if epochs is None:
            epochs = estimator.max_epochs or (10 if x.ndim > 2 else 100)
        batch = min(estimator.batch_size or (128 if len(x) > 2000 or x.ndim > 2 else 32), len(x))
        share = 0.1 if estimator.validation is None else estimator.validation
        partial = epochs == 1 or len(x) < 10
        steps = -(-len(x) // batch) * epochs
        data = (x, y) if weights is None else (x, y, weights.astype(np.float32))
        options = dict(
            loss=_loss(estimator.loss, self.kind), optimizer=_optimizer(estimator, steps, epochs == 1), max_epochs=int(epochs),
            batch_size=batch, validation=None if partial or not share else float(share), patience=estimator.patience,
            max_seconds=estimator.max_seconds, precision=estimator.precision or "float32", seed=estimator._seed,
            metrics=("accuracy",) if self.kind == "classes" and share and not partial else (), catch_interrupt=_inputs.on_main_thread(),
            optimizer_state=self.moments,
        )

        def run(on_plan, on_epoch, on_progress):
            if on_plan is not None:
                on_plan(int(epochs))
            return fit(self.network, data, on_epoch=on_epoch, on_progress=on_progress, **options)

        return watch(run)

    def predict(self, features):
        """Probabilities (rows, classes) or (rows, labels), or values (rows,) or (rows, targets), as float64."""
        said = np.asarray(predict(self.network, self.scaling(features)), dtype=np.float64)
        if self.kind == "classes":
            said = np.exp(said - said.max(axis=1, keepdims=True))
            return said / said.sum(axis=1, keepdims=True)
        if self.kind == "labels":
            return 1 / (1 + np.exp(-said))
        mean, deviation = self.target
        return (said.reshape(len(said), -1) * deviation + mean).reshape(len(said), *np.shape(mean))

    def facts(self):
        """What a person may want to know of the model, by name."""
        return {"network": repr(self.network), "parameters": self.network.parameter_count()}


def _make_network(estimator, shape, outputs):
    given = estimator.network
    if given is None:
        network = _dense(estimator, shape, outputs)
        return network.initialize(key(estimator._seed)) or network
    if isinstance(given, (nn.Layer, nn.Module)):
        return copy.deepcopy(given)
    if not callable(given):
        raise TypeError(f"network: a module, or a function of (inputs, outputs) that makes one, not {given!r}")
    network = given(shape[0] if len(shape) == 1 else shape, outputs)
    if not isinstance(network, (nn.Layer, nn.Module)):
        raise TypeError(f"network: the function made a {type(network).__name__}, which is no module")
    network.initialize(fold_in(key(estimator._seed), 1))
    return network


def _dense(estimator, shape, outputs):
    width = int(np.prod(shape))
    layers = [nn.Flatten()] if len(shape) > 1 else []
    for hidden in (256, 128) if estimator.hidden is None else _inputs.sizes_of(estimator.hidden):
        layers += [nn.Linear(width, int(hidden)), _activation(estimator.activation or "relu")]
        if estimator.dropout:
            layers.append(nn.Dropout(float(estimator.dropout)))
        width = int(hidden)
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def _activation(name):
    for known in nn.layer_types():
        if known.lower() == name.replace("_", ""):
            return getattr(nn, known)()
    raise ValueError(f"activation: there is no layer {name!r}; take relu, gelu, silu, mish, tanh or another of pl.nn")


def _loss(given, kind):
    if given is not None:
        return given
    return {"classes": "cross_entropy", "labels": "binary_cross_entropy_with_logits", "values": "mean_squared_error"}[kind]


def _optimizer(estimator, steps, once):
    """`once`: one pass over the rows, of which there may be many."""
    given = estimator.optimizer
    if given is not None and not isinstance(given, str):
        return given
    name = given or "adamw"
    rate = _inputs.number_of("learning_rate", estimator.learning_rate) or (0.05 if name in ("sgd", "adagrad", "adadelta") else 2e-3)
    planned = schedule.by_name(estimator.schedule or ("one-cycle" if given is None and not once else "constant"), rate, steps)
    rule = optim.by_name(name, planned)
    if estimator.weight_decay is not None:
        rule = type(rule)(learning_rate=planned, weight_decay=_inputs.number_of("weight_decay", estimator.weight_decay))
    return rule
