"""fit_table and update_table_model, with their options as keywords."""

from . import _core


def fit_table(
    x, target, *, task=None, ignore=(), categories=(), validation=None, test=0.0, sample_weights=None, balanced=False,
    class_weights=None, fast=False, ensemble=None, tune=None, time=None, hidden=None, activation="", dropout=None,
    loss="", optimizer="", schedule="", learning_rate=None, weight_decay=None, label_smoothing=None, average=None,
    l1=0.0, l2=0.0, batch=None, epochs=None, patience=None, max_seconds=None, precision="float32", calibrate=True, seed=0, on_plan=None, on_epoch=None, on_progress=None, checkpoint=None,
    catch_interrupt=True,
):
    """Prepares a table, trains a network on it and calibrates it: the recipe of `pellucid train`. Gives a TableFit.

    What is not set is chosen by the data. The result is the same, bit for bit, for any number of threads.

    x: a pl.data.Table or a dict of columns, and `target` the name of one; or numbers (rows, columns), and `target` an
        array (rows); NaN is missing.
    task: "classification" or "regression"; None: by the target's values.
    ignore: columns to leave out. categories: columns of numbers to take as categories.
    validation: the share of rows held out to choose the epoch and to calibrate by; None: see `ensemble`, with `fast` 0.2.
    test: the share kept for a last test that nothing is chosen by.
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
        test_rows, recipe (JSON), epochs, may_stop_early.
    on_epoch, on_progress, checkpoint, catch_interrupt: as in fit; an Epoch's metrics[0] is the accuracy, or the root
        mean squared error in units of the target.

    Raises ValueError where options do not fit, or the data cannot be learned from.
    """
    options = _options(locals(), "x", "target")
    return _core._train_table(x, target, options)


def update_table_model(model, x, y=None, *, epochs=1, **options):
    """Goes on with a TableModel, in place: `epochs` more passes over the rows. Gives a FitResult.

    x: a Table or dict of columns with the target among them, or numbers (rows, columns) and y (rows). options: as in
    fit_table. Preprocessing and calibration stay.
    """
    known = fit_table.__kwdefaults__
    for name in options:
        if name not in known:
            raise TypeError(f"update_table_model: there is no option {name!r}; the options are {', '.join(known)}")
    return _core._train_table_more(model, x, y, _options({**known, **options, "epochs": epochs}))


def _options(given, *leave):
    options = {name: value for name, value in given.items() if name not in leave}
    options["ignore"], options["categories"] = list(options["ignore"]), list(options["categories"])
    if options["hidden"] is not None:
        options["hidden"] = [options["hidden"]] if isinstance(options["hidden"], int) else list(options["hidden"])
    return options
