"""Training on tables with the engine's recipe: the one that the shell's `train` has."""

import contextlib
import re

import numpy as np

from .. import _tabular
from . import _inputs


class TableTraining:
    """A model of the recipe, and what its classes are called."""

    def __init__(self, model, columns, order, moments=None):
        self.model = model
        self.moments = moments  # of the optimiser, where training goes on: fit_table's optimizer_states
        self.columns = columns  # names of the features' columns, in order
        self.order = order  # where each of the estimator's classes stands among the model's; None for numbers

    @classmethod
    def fit(cls, estimator, features, y, weights, classes, watch):
        """(training, FitResult). y: for classes their numbers, else values."""
        columns = features.names or _inputs.matrix_names(features.width)
        table = features.table(columns)
        target = _free_name(columns)
        names = None if classes is None else _class_names(classes)
        _add_target(table, target, y, names)
        options = _options(estimator, classes, names, weights)
        options["optimizer_states"] = moments = []
        with _python_names():
            model, result = watch(lambda on_plan, on_epoch, on_progress: _fit_table(
                table, target, options, on_plan, on_epoch, on_progress))
        order = None if names is None else [model.classes.index(name) for name in names]
        return cls(model, columns, order, moments), result

    def update(self, estimator, features, y, weights, classes, epochs, watch):
        """Goes on with the model; gives the FitResult."""
        table = self._table(features)
        names = None if classes is None else _class_names(classes)
        _add_target(table, self.model.target.name, y, names)
        self.moments = [] if self.moments is None else self.moments
        options = {**_options(estimator, classes, names, weights), "epochs": epochs, "optimizer_states": self.moments}
        with _python_names():
            return watch(lambda on_plan, on_epoch, on_progress: _tabular.update_table_model(
                self.model, table, **options, on_epoch=on_epoch, on_progress=on_progress))

    def predict(self, features):
        """Probabilities (rows, classes) as float64 that sum to 1, or values (rows,)."""
        said = np.asarray(self.model.predict(self._table(features)), dtype=np.float64)
        if self.order is None:
            return said
        said = said[:, self.order]
        return said / said.sum(axis=1, keepdims=True)

    def intervals(self, features):
        """Bounds (rows, 2) between which 90 % of such rows' targets lie."""
        return np.asarray(self.model.intervals(self._table(features)))

    def _table(self, features):
        table = features.table(self.columns)
        if features.is_table and features.names is None:
            table.rename(self.columns)
        return table

    def facts(self):
        """What a person may want to know of the model, by name."""
        facts = {"inputs": self.model.preprocessing.inputs, "parameters": self.model.parameter_count()}
        for name, reason in self.model.preprocessing.dropped.items():
            facts[f"left out: {name}"] = reason
        return facts


def _fit_table(table, target, options, on_plan, on_epoch, on_progress):
    """(TableModel, FitResult). on_plan is told the most epochs."""
    told = None if on_plan is None else lambda plan: on_plan(plan["epochs"])
    fitted = _tabular.fit_table(table, target, **options, on_plan=told, on_epoch=on_epoch, on_progress=on_progress)
    return fitted.model, fitted.training


@contextlib.contextmanager
def _python_names():
    """Messages about options, under the names that they have here."""
    here = {"batch": "batch_size", "epochs": "max_epochs"}
    try:
        yield
    except (ValueError, TypeError) as error:
        text = str(error)
        if found := re.fullmatch(r"\w+: '(\w+)' is (.+), not (.+)", text):
            name, wanted, given = found.groups()
            raise type(error)(f"{here.get(name, name)}: {given} is of the wrong type; give {wanted}") from None
        if (found := re.match(r"(batch|epochs)[ :]", text)) is not None:
            raise type(error)(here[found[1]] + text[len(found[1]):]) from None
        raise


def _free_name(columns):
    name = "target"
    while name in columns:
        name += "_"
    return name


def _class_names(classes):
    """The classes as the model file calls them."""
    if classes.dtype.kind == "f":
        return [str(int(c)) for c in classes]
    return [str(c) for c in classes.tolist()]


def _add_target(table, name, y, classes):
    if classes is None:
        table.add_numbers(name, np.ascontiguousarray(y, dtype=np.float64))
    else:
        table.add_text(name, np.ascontiguousarray(y, dtype=np.int32), classes)


def _options(estimator, classes, names, weights):
    options = {
        "task": "regression" if classes is None else "classification",
        "fast": bool(estimator.fast),
        "ensemble": estimator.ensemble,
        "tune": estimator.tune,
        "time": _inputs.number_of("time", estimator.time),
        "hidden": None if estimator.hidden is None else _inputs.sizes_of(estimator.hidden),
        "activation": estimator.activation,
        "dropout": _inputs.number_of("dropout", estimator.dropout),
        "loss": estimator.loss,
        "optimizer": estimator.optimizer,
        "schedule": estimator.schedule,
        "learning_rate": _inputs.number_of("learning_rate", estimator.learning_rate),
        "weight_decay": _inputs.number_of("weight_decay", estimator.weight_decay),
        "batch": estimator.batch_size,
        "epochs": estimator.max_epochs,
        "patience": estimator.patience,
        "validation": _inputs.number_of("validation", estimator.validation),
        "max_seconds": _inputs.number_of("max_seconds", estimator.max_seconds),
        "precision": estimator.precision,
        "seed": estimator._seed,
        "catch_interrupt": _inputs.on_main_thread(),
    }
    if weights is not None:
        options["sample_weights"] = weights
    if classes is not None:
        balanced, by_class = _inputs.class_weights(estimator.class_weight, classes)
        options["balanced"] = balanced
        if by_class is not None:
            options["class_weights"] = {name: float(w) for name, w in zip(names, by_class)}
    return {name: value for name, value in options.items() if value is not None}
