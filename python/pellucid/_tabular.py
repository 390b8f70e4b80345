"""fit_table and update_table_model, with their options as keywords."""

from __future__ import annotations

import json as _json
from collections.abc import Callable as _Callable, Sequence as _Sequence
from typing import Any as _Any

from . import _core


def fit_table(
    x: _Any, target: _Any, *, task: str | None = None, ignore: _Sequence[str] = (), categories: _Sequence[str] = (),
    validation: float | None = None, test: float = 0.0, test_rows: _Any = None, schema: dict[str, _Any] | str | None = None,
    group: str = "", time_column: str = "", weight: str = "", scaling: str | None = None, log_target: bool = False, sample_weights: _Any = None,
    balanced: bool = False, class_weights: dict[_Any, float] | None = None, fast: bool = False, ensemble: int | None = None,
    tune: int | None = None, time: float | None = None, hidden: int | _Sequence[int] | None = None, activation: str = "",
    dropout: float | None = None, loss: str = "", optimizer: str = "", schedule: str = "", learning_rate: float | None = None,
    weight_decay: float | None = None, label_smoothing: float | None = None, average: float | None = None, l1: float = 0.0,
    l2: float = 0.0, batch: int | None = None, epochs: int | None = None, patience: int | None = None,
    max_seconds: float | None = None, precision: str = "float32", calibrate: bool = True, seed: int = 0,
    on_plan: _Callable[[dict[str, _Any]], _Any] | None = None, on_tune: _Callable[[str], _Any] | None = None,
    on_epoch: _Callable[[_core.Epoch], _Any] | None = None, on_progress: _Callable[[_core.Progress], _Any] | None = None,
    checkpoint: _Any = None, catch_interrupt: bool = True, optimizer_states: list[dict[str, _Any]] | None = None,
) -> _core.TableFit:
    """Prepares a table, trains a network on it and calibrates it: the recipe of `pellucid train`. Gives a TableFit.

    What is not set is chosen by the data. The result is the same, bit for bit, for any number of threads.

    x: a pl.data.Table or a dict of columns, and `target` the name of one; or numbers (rows, columns), and `target` an
        array (rows); NaN is missing.
    task: "classification" or "regression"; None: by the target's values.
    ignore: columns to leave out. categories: columns of numbers to take as categories.
    validation: the share of rows held out to choose the epoch and to calibrate by; None: see `ensemble`, with `fast` 0.2.
    test: the share kept for a last test that nothing is chosen by. test_rows: these rows of the table in its place.
    schema: what columns are and are for: what pl.data.find_schema gives, edited, or the text of such a JSON file; its
        roles count where the names below are empty.
    group, time_column, weight: columns that are not learned from: rows of one group are held out together; the rows with
        the newest time are held out; how much rows count. With a group or a time, `validation` is 0.2 where it is None.
    scaling: how numbers are brought to scale, as in pl.data.fit_preprocessing; None: "unclipped" for ensembles of less
        than 2,000 rows, else "robust".
    log_target: learn the logarithm of a target above 0, so that errors of the same share count the same; predictions and
        intervals are in its own units.
    sample_weights: how much each row counts. balanced: each class counts as if all were equally frequent.
        class_weights: a dict of how much classes count, others 1.
    fast: the plain small network alone. ensemble: how many networks give their mean; without `validation` each leaves
        out a part of the rows that no other does, which choose its epoch and calibrate.
    tune: how many settings to try, the worse half of which is dropped again and again. time: train as many ensembles as
        there is time for, in seconds, and join them; the result then depends on the machine.
    hidden: sizes of the hidden layers. activation: one of pl.table_activations(). dropout: in [0, 1).
    loss: one of pl.table_losses(task), some with a number: "huber=0.5".
    optimizer, schedule: one of pl.optim.names() and pl.schedule.names().
    batch, epochs: rows in a step, and the most passes. patience: so many epochs without a better one end training.
    max_seconds: of training. precision: "float32" or "bfloat16". calibrate: scale scores to the validation rows.
    on_plan: called when every choice is made, before training, with a dict of them: training_rows, validation_rows,
        test_rows, recipe (JSON), epochs, may_stop_early. on_tune: called with a line for people on each round of `tune`.
    on_epoch, on_progress, checkpoint, catch_interrupt: as in fit; an Epoch's metrics[0] is the accuracy, or the root
        mean squared error in units of the target.
    optimizer_states: a list, which is filled with a dict as fit's `optimizer_state` for each ensemble that is kept (not
        with `tune` or `time`): update_table_model goes on with what is in it.

    Raises ValueError where options do not fit, or the data cannot be learned from.
    """
    options = _options(locals(), "x", "target")
    return _core._train_table(x, target, options)


def update_table_model(
    model: _core.TableModel, x: _Any, y: _Any = None, *, epochs: int = 1, **options: _Any,
) -> _core.FitResult:
    """Goes on with a TableModel, in place: `epochs` more passes over the rows. Gives a FitResult.

    x: a Table or dict of columns with the target among them, or numbers (rows, columns) and y (rows). options: as in
    fit_table. Preprocessing and calibration stay.
    """
    known = fit_table.__kwdefaults__ or {}
    for name in options:
        if name not in known:
            raise TypeError(f"update_table_model: there is no option {name!r}; the options are {', '.join(known)}")
    return _core._train_table_more(model, x, y, _options({**known, **options, "epochs": epochs}))


def _options(given: dict[str, _Any], *leave: str) -> dict[str, _Any]:
    options = {name: value for name, value in given.items() if name not in leave}
    options["ignore"], options["categories"] = list(options["ignore"]), list(options["categories"])
    if isinstance(options["schema"], dict):
        options["schema"] = _json.dumps(options["schema"])
    if options["hidden"] is not None:
        options["hidden"] = [options["hidden"]] if isinstance(options["hidden"], int) else list(options["hidden"])
    return options
