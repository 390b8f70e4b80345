"""fit, with its options as keywords."""

from __future__ import annotations

from collections.abc import Callable as _Callable
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

from . import _core
from ._core.optim import Adam as _Adam

if _TYPE_CHECKING:
    from . import nn as _nn


def fit(
    module: _nn.Layer | _nn.Module, data: _Any, *, loss: _Any, optimizer: _Any = _Adam(), precision: str = "float32",
    max_epochs: int = 100, tolerance: float | None = None, restarts: int = 0, stall_epochs: int = 100,
    stall_decrease: float = 0.05, batch_size: int | None = None, shuffle: bool = True, validation: _Any = None,
    monitor: str = "", patience: int | None = None, min_delta: float = 0.0, target: float | None = None,
    restore_best: bool = True, max_seconds: float | None = None, checkpoint: _Any = None, seed: int = 0,
    metrics: _Any = (), class_weights: _Any = None, optimizer_state: dict[str, _Any] | None = None, allow_unused: bool = False,
    on_epoch: _Callable[[_core.Epoch], _Any] | None = None, on_progress: _Callable[[_core.Progress], _Any] | None = None,
    progress_seconds: float = 0.1, catch_interrupt: bool = True, progress: bool = False,
) -> _core.FitResult:
    """Trains the module from its present parameters, in place; gives a FitResult that says why training ended.

    One step (batch, forward, backward, update) is one compiled plan. The result is the same, bit for bit, for any number
    of threads. The interpreter's lock is released, so several threads may train at once, each its own module.

    module: a layer, or an object of a class derived from pl.nn.Module.
    data: (x, y), (x, y, weights) or a Dataset. x (n, ...) is what the module is called with (floats of another type are
        brought to that of its parameters), y (n, ...) what the loss compares its output with.
    loss: one of pl.loss, its name, or a function of (prediction, target) or (prediction, target, weights).
    optimizer: one of pl.optim, or an Optimizer.
    precision: "float32" or "bfloat16", of contractions and convolutions in training steps.
    max_epochs: in each start.
    tolerance: converged where the training loss of an epoch is below this.
    restarts: how often to start again from fresh parameters when the tolerance is not reached, the loss diverges,
        patience runs out, or training stalls: over `stall_epochs` the loss has not fallen by `stall_decrease` of itself.
    batch_size: examples in a step; None: all of them. shuffle: draw the batches anew in each epoch.
    validation: a share of the examples in (0, 1), or (x, y), that is not learned from.
    monitor: what counts as better: "loss", "validation_loss" or a metric's name; "": the validation loss where there is
        validation data, else the loss.
    patience: stop after so many epochs in a row without an improvement of more than min_delta.
    target: stop where the monitored value is at most this (at least, where larger is better).
    restore_best: keep the parameters of the best epoch, where there is validation data or patience.
    checkpoint: a path or a Checkpoint: training that was interrupted goes on from it.
    seed: everything random comes from it: batches, dropout, held-out rows, restarts.
    metrics: names (pl.metric_names()), Metrics, or functions of (prediction, target) or (prediction, target, weights).
    class_weights: (classes), multiplied into the weights of the examples by their class.
    optimizer_state: a dict, which is filled with the optimiser's counts and moments by name, those that belong to the
        parameters that the module gets. What is in it goes on, where it is of this rule and these parameters: so a dict that
        is {} first and given to each fit makes one training of several. Schedules count from the beginning of each.
    allow_unused: accept parameters without influence on the loss.
    on_epoch: called with an Epoch at the end of each, when the module has its parameters; False stops.
    on_progress: called with a Progress at most every `progress_seconds`; False stops.
    catch_interrupt: Ctrl-C stops after the running step, and the result's reason is "interrupted"; a second one ends the
        program. False: KeyboardInterrupt is raised after the running step. On other threads than the main one: neither.
    progress: True shows a line with loss, rate and time left: in a terminal (on standard error) or a notebook.

    Raises ValueError before anything is changed where data, options and module do not fit together; the row is named.
    """
    options = dict(locals())
    del options["module"], options["data"], options["progress"]
    if not progress:
        return _core._fit(module, data, options)
    from ._progress import Bar

    with Bar(options) as bar:
        result = _core._fit(module, data, options)
        bar.finish(result)
    return result
