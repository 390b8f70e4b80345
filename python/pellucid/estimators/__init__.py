"""Estimators: networks behind scikit-learn's methods.

    model = pl.Classifier().fit(frame, labels)
    model.predict(new)

They pass scikit-learn's check_estimator, work in its pipelines and searches, and need nothing of it.
"""

from __future__ import annotations

import os as _os
import secrets as _secrets
import warnings as _warnings
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

import numpy as _np

from . import _inputs
from ._base import Estimator as _Estimator
from ._base import NotFittedError as NotFittedError

if _TYPE_CHECKING:
    from typing_extensions import Self as _Self

__all__ = ["Classifier", "NotFittedError", "Regressor"]

_PARAMETERS = """
    hidden: sizes of the hidden layers; None: chosen by the data.
    fast: the recipe's plain small network alone. ensemble: how many networks give their mean; None: chosen.
    tune: how many settings of the recipe to try, the worse half of which is dropped again and again; None: none. time: train
        as many ensembles as there is time for, in seconds, and join them; the result then depends on the machine.
    network: a module, or a function of (inputs, outputs) that makes one, in place of dense layers. It takes numbers of an
        array as they are, columns of a table as the engine encodes them, and gives {outputs}.
        `inputs` is the number of features, or the shape of a row that has several axes. A module is copied, and trained
        from the parameters that it has.
    activation, dropout: between hidden layers; None: chosen.
    loss: a name ({losses}); with `network` or several targets also one of pl.loss. None: {loss}.
    optimizer, schedule, learning_rate, weight_decay: of the updates; names, numbers, or for optimizer one of pl.optim, which
        has its own rate and decay. None: chosen.
    batch_size, max_epochs: rows in an update, and the most passes over the data; None: chosen.
    validation: the share of rows held out to choose the best epoch by; None: each network of an ensemble leaves out a part
        that no other does; 0.2 with `fast`, 0.1 with networks of your own. 0: none.
    patience: early stopping: training ends after so many epochs without a better one.
    max_seconds: training ends after so long; the result then depends on the machine.
    precision: "float32", or "bfloat16" for the operands of products.
    warm_start: fit goes on from the present parameters, where features and classes are the same.
    random_state: a whole number that everything random comes from: the same gives the same model, to the bit. None:
        another in each fit. A NumPy RandomState or Generator: drawn from it.
    verbose: show a line with loss and time left, in a terminal or a notebook.
"""

_ATTRIBUTES = """
    result_: a FitResult: why training ended, loss_, history, plot(). n_iter_: the last epoch.
    n_features_in_; feature_names_in_ where the features had names.
"""


class _Trained(_Estimator):
    """Fitting and updating, for both."""

    _classify = False

    def fit(self, X: _Any, y: _Any, sample_weight: _Any = None) -> _Self:
        """Trains on features X (rows, features) and targets y. Gives the estimator itself.

        X: an array, nested lists, a sparse matrix, or a table of pandas, polars, Arrow, ...: its texts and categories are
        taken as categories; NaN and null are missing values. sample_weight (rows): how much each counts.
        """
        kept = vars(self).get("_training") if self.warm_start else None
        features, target, weights = self._read(X, y, sample_weight, first=kept is None)
        if kept is None:
            self._note_target(target)
        self._check_enough(features, target, weights)
        features, target, weights = _inputs.canonical(features, self._encode(target), weights)
        self._seed = _draw_seed(self.random_state)
        if kept is None:
            self._training, self.result_ = self._engine(features, target).fit(
                self, features, target, weights, vars(self).get("classes_"), self._watch)
            if not self.warm_start:
                self._training.moments = None  # twice the parameters, which most models need no more
        else:
            self.result_ = kept.update(self, features, target, weights, vars(self).get("classes_"),
                                       self.max_epochs or 100, self._watch)
        return self._finish()

    def _partial_fit(self, X, y, classes, sample_weight):
        first = "_training" not in vars(self)
        features, target, weights = self._read(X, y, sample_weight, first=first)
        if first:
            self._note_target(target if classes is None else _np.asarray(classes))
            self._seed = _draw_seed(self.random_state)
        target = self._encode(target)
        if first:
            features, target, weights = self._with_all_classes(features, target, weights)
            given = self.validation, self.max_epochs
            self.validation, self.max_epochs = 0.0, 1
            try:
                self._training, self.result_ = self._engine(features, target).fit(
                    self, features, target, weights, vars(self).get("classes_"), self._watch)
            finally:
                self.validation, self.max_epochs = given
        else:
            self.result_ = self._training.update(self, features, target, weights, vars(self).get("classes_"), 1,
                                                 self._watch)
        return self._finish()

    def _with_all_classes(self, features, target, weights):
        return features, target, weights

    def _engine(self, features, target):
        several = target.ndim == 2 or (not features.is_table and features.values.ndim > 2)
        own = self.network is not None or not all(isinstance(v, (str, type(None))) for v in (self.optimizer, self.loss))
        if several or own:
            from ._networks import NetworkTraining

            return NetworkTraining
        from ._tables import TableTraining

        return TableTraining

    def _read(self, X, y, sample_weight, first):
        name = type(self).__name__
        features = _inputs.read_features(X, name)
        if first:
            target = _inputs.read_target(y, name, self._classify)
            self.n_features_in_ = features.width
            vars(self).pop("feature_names_in_", None)
            if features.names is not None:
                self.feature_names_in_ = _np.array(features.names, dtype=object)
        else:
            self._check_features(features)
            target = _inputs.read_target(y, name, self._classify)
        _inputs.check_lengths(features.rows, len(target))
        return features, target, _inputs.read_weights(sample_weight, features.rows)

    def _check_features(self, features):
        if features.width != self.n_features_in_ and features.names is None:
            raise ValueError(f"X has {features.width} features, but {type(self).__name__} is expecting "
                             f"{self.n_features_in_} features as input.")
        if features.names is not None and "feature_names_in_" in vars(self):
            lacking = [n for n in self.feature_names_in_ if n not in set(features.names)]
            if lacking:
                shown = ", ".join(repr(n) for n in lacking[:5])
                raise ValueError(f"X lacks columns that {type(self).__name__} was fitted with: {shown}; give each by its name")

    def _read_new(self, X):
        self._check_is_fitted()
        features = _inputs.read_features(X, type(self).__name__)
        self._check_features(features)
        if features.names is not None and "feature_names_in_" not in vars(self):
            features.names = None  # fitted to a matrix: columns count by their positions
        return features

    def _watch(self, run):
        """Calls run(on_plan, on_epoch, on_progress) with a progress bar where one is wanted."""
        if not self.verbose:
            result = run(None, None, None)
        else:
            from .._progress import Bar

            options = {"max_epochs": self.max_epochs or 100, "metrics": (), "on_epoch": None, "on_progress": None}
            with Bar(options) as bar:
                result = run(lambda epochs: setattr(bar, "_epochs", epochs), options["on_epoch"], options["on_progress"])
                bar.finish(result[1] if isinstance(result, tuple) else result)
        reason = (result[1] if isinstance(result, tuple) else result).reason
        if reason == "interrupted":
            _warnings.warn("training was interrupted; the model is that of the best epoch so far", stacklevel=4)
        return result

    def _finish(self):
        self.n_iter_ = self.result_.epoch
        self.loss_ = self.result_.loss
        return self

    def _facts(self):
        return self._training.facts()

    def save(self, path: str | _os.PathLike[str]) -> None:
        """Writes the model file that the shell, C++ and `load` read. Raises TypeError for a network of your own."""
        from ._tables import TableTraining

        self._check_is_fitted()
        if not isinstance(self._training, TableTraining):
            raise TypeError("save: a model file holds models of the recipe for tables; pickle this estimator, or pl.save its "
                            "network")
        self._training.model.save(str(path))

    @classmethod
    def load(cls, path: str | _os.PathLike[str]) -> _Self:
        """The estimator of a model file: one of `save`, or of the shell's `train`. Classes are texts."""
        from .. import _core
        from ._tables import TableTraining

        import json

        model = _core.TableModel.load(str(path))
        if model.classifies != cls._classify:
            raise ValueError(f"load: '{path}' holds a model of {'classes' if model.classifies else 'numbers'}; take "
                             f"{'Classifier' if model.classifies else 'Regressor'}.load")
        self = cls()
        columns = json.loads(model.record)["data"]["columns"]
        self._training = TableTraining(model, columns, None)
        self._seed = 0
        self.n_features_in_, self.feature_names_in_ = len(columns), _np.array(columns, dtype=object)
        if cls._classify:
            self.classes_ = _np.array(model.classes)
            self._training.order = list(range(len(model.classes)))
        return self


def _draw_seed(random_state):
    if random_state is None:
        return _secrets.randbits(31)
    if isinstance(random_state, _np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, _np.random.Generator):
        return int(random_state.integers(2**31))
    if not isinstance(random_state, (int, _np.integer)) or random_state < 0:
        raise ValueError(f"random_state: {random_state!r}; give a whole number from 0, a NumPy generator, or None")
    return int(random_state)


class Classifier(_Trained):
    _classify = True

    def __init__(
        self, hidden: _Any = None, *, fast: bool = False, ensemble: int | None = None, tune: int | None = None,
        time: float | None = None, network: _Any = None, activation: str | None = None, dropout: float | None = None,
        loss: _Any = None, optimizer: _Any = None, schedule: str | None = None, learning_rate: float | None = None,
        weight_decay: float | None = None, batch_size: int | None = None, max_epochs: int | None = None,
        validation: float | None = None, patience: int | None = None, max_seconds: float | None = None,
        class_weight: _Any = None, precision: str = "float32", warm_start: bool = False, random_state: _Any = 0, verbose: bool = False,
    ) -> None:
        self._remember(locals())

    def partial_fit(self, X: _Any, y: _Any, classes: _Any = None, sample_weight: _Any = None) -> _Self:
        """One pass over these rows, from the present parameters. classes: all that will come; needed in the first call."""
        if "_training" not in vars(self) and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._partial_fit(X, y, classes, sample_weight)

    def predict_proba(self, X: _Any) -> _np.ndarray:
        """The probability of each class, (rows, classes) in the order of classes_; of each label where y had several."""
        return self._scores(X)

    def decision_function(self, X: _Any) -> _np.ndarray:
        """Log odds: of the second of two classes (rows,), of each of several labels, else the logarithms of predict_proba."""
        said = self._scores(X)
        tiny = _np.finfo(_np.float64).tiny
        logs = _np.log(_np.maximum(said, tiny))
        if self._several:
            return logs - _np.log(_np.maximum(1 - said, tiny))
        return logs[:, 1] - logs[:, 0] if said.shape[1] == 2 else logs

    def predict(self, X: _Any) -> _np.ndarray:
        """The most likely class of each row; for several labels 0 or 1 for each."""
        said = self._scores(X)
        return (said >= 0.5).astype(int) if self._several else self.classes_[said.argmax(axis=1)]

    def _scores(self, X):
        features = self._read_new(X)
        return self._training.predict(features)

    def score(self, X: _Any, y: _Any, sample_weight: _Any = None) -> float:
        """The accuracy: the share of rows whose prediction is right."""
        said = self.predict(X)
        y = _np.asarray(y).reshape(said.shape) if _np.ndim(y) == 2 and _np.shape(y)[1] == 1 else _np.asarray(y)
        _inputs.check_lengths(len(said), len(y))
        right = (said == y) if said.ndim == 1 else (said == y).all(axis=1)
        return float(_np.average(right, weights=_inputs.read_weights(sample_weight, len(said))))

    @property
    def _several(self):
        return vars(self).get("_labels", False)

    def _note_target(self, target):
        self._labels = target.ndim == 2
        self.classes_ = _np.arange(target.shape[1]) if self._labels else _np.unique(target)
        if not self._labels and len(self.classes_) < 2:
            raise ValueError(f"Classifier needs samples of at least 2 classes in the data, but the data contains only one "
                             f"class: {self.classes_[0].item()!r}")

    def _check_enough(self, features, target, weights):
        if weights is not None and target.ndim == 1 and len(_np.unique(target[weights > 0])) < 2:
            raise ValueError("Classifier needs samples of at least 2 classes whose weight is not zero; only one class is left")

    def _encode(self, target):
        if self._labels:
            return target.astype(_np.float32)
        codes = _np.searchsorted(self.classes_, target)
        known = self.classes_[_np.minimum(codes, len(self.classes_) - 1)] == target
        if not known.all():
            raise ValueError(f"y holds {target[~known][0].item()!r}, which is no class of this model; the classes are "
                             f"{self.classes_.tolist()}")
        return codes

    def _with_all_classes(self, features, target, weights):
        """Each class occurs in the first call of partial_fit: lacking ones as a row of weight 0."""
        lacking = [] if target.ndim == 2 else sorted(set(range(len(self.classes_))) - set(target.tolist()))
        if not lacking:
            return features, target, weights
        weights = _np.ones(len(target)) if weights is None else weights
        if features.is_table:
            features.values.repeat_first(len(lacking))
        else:
            x = features.values
            features = _inputs.Features(_np.concatenate([x, _np.repeat(x[:1], len(lacking), axis=0)]), features.names)
        return features, _np.append(target, lacking), _np.append(weights, _np.zeros(len(lacking)))

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags

        return self._tags("classifier", classifier_tags=ClassifierTags(multi_label=True), transformer_tags=None,
                          regressor_tags=None)


class Regressor(_Trained):
    def __init__(
        self, hidden: _Any = None, *, fast: bool = False, ensemble: int | None = None, tune: int | None = None,
        time: float | None = None, network: _Any = None, activation: str | None = None, dropout: float | None = None,
        loss: _Any = None, optimizer: _Any = None, schedule: str | None = None, learning_rate: float | None = None,
        weight_decay: float | None = None, batch_size: int | None = None, max_epochs: int | None = None,
        validation: float | None = None, patience: int | None = None, max_seconds: float | None = None,
        precision: str = "float32", warm_start: bool = False, random_state: _Any = 0, verbose: bool = False,
    ) -> None:
        self._remember(locals())

    def partial_fit(self, X: _Any, y: _Any, sample_weight: _Any = None) -> _Self:
        """One pass over these rows, from the present parameters; scales are those of the first call."""
        return self._partial_fit(X, y, None, sample_weight)

    def predict(self, X: _Any) -> _np.ndarray:
        """The value of each row, (rows,); (rows, targets) where y had several."""
        features = self._read_new(X)
        return self._training.predict(features)

    def predict_interval(self, X: _Any) -> _np.ndarray:
        """The bounds (rows, 2) between which 90 % of such rows' values lie: quantiles, conformalised on rows held out.

        Raises ValueError where the model has none: trained `fast`, or a network of your own.
        """
        features = self._read_new(X)
        if not hasattr(self._training, "intervals"):
            raise ValueError("predict_interval: only models of the recipe for tables have intervals")
        return self._training.intervals(features)

    def score(self, X: _Any, y: _Any, sample_weight: _Any = None) -> float:
        """R^2: 1 - (squares of what is left) / (squares around the mean); the mean over several targets."""
        said = self.predict(X)
        y = _inputs.read_target(y, "Regressor", False)
        _inputs.check_lengths(len(said), len(y))
        weights = _inputs.read_weights(sample_weight, len(said))
        rest = _np.average((y - said) ** 2, axis=0, weights=weights)
        around = _np.average((y - _np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
        rest, around = _np.atleast_1d(rest), _np.atleast_1d(around)
        return float(_np.mean(_np.where(around > 0, 1 - rest / _np.where(around > 0, around, 1), _np.where(rest > 0, 0.0, 1.0))))

    def _note_target(self, target):
        self.n_outputs_ = 1 if target.ndim == 1 else target.shape[1]

    def _check_enough(self, features, target, weights):
        rows = features.rows if weights is None else int((weights > 0).sum())
        if rows < 2:
            raise ValueError(f"Regressor needs at least 2 samples, got n_samples = {rows}")

    def _encode(self, target):
        return target

    def __sklearn_tags__(self):
        from sklearn.utils import RegressorTags

        return self._tags("regressor", regressor_tags=RegressorTags(), transformer_tags=None, classifier_tags=None)


Classifier.__doc__ = ("A network that predicts classes.\n" + _PARAMETERS.format(
    outputs="a score (logit) for each class", losses="cross_entropy, focal", loss="cross_entropy with smoothed labels")
    + "    class_weight: 'balanced', or a dict of weights by class.\n\nOnce fitted:\n    classes_: the classes, ascending." + _ATTRIBUTES)
Regressor.__doc__ = ("A network that predicts numbers.\n" + _PARAMETERS.format(
    outputs="a value for each target, standardised", losses="mean_squared_error, mean_absolute_error, huber=1, quantile=0.9, ...",
    loss="mean_squared_error") + "\nOnce fitted:" + _ATTRIBUTES)
