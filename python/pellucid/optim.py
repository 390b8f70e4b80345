"""Optimisers: rules that turn gradients into new parameters, for fit and for loops by hand.

    optimizer = pl.optim.Adam(learning_rate=1e-3)                        # a rule
    optimizer = pl.optim.Optimizer(optimizer, clip_global_norm=1.0)      # and what goes around it

    state = optimizer.init(w)                                            # w: a tree of arrays, or a module
    w, state = optimizer.update(w, gradients, state)

In formulas w is a parameter, g its gradient, t the number of this update, from 1, and r the learning rate.
`weight_decay` d is coupled (g becomes g + d w) unless `decoupled` (w becomes w (1 - r d) first).
"""

from collections.abc import Callable as _Callable
from typing import Any as _Any

from ._core.optim import *  # noqa: F403
from ._transforms import value_and_grad as _value_and_grad


def training_step(
    loss: _Callable[..., _Any], optimizer: _Any, *, extra: bool = False, allow_unused: bool = False,
) -> _Callable[..., tuple[_Any, _Any]]:
    """One step of training as a function for compile: (state, *inputs) -> (new state, value of the loss).

    state: [parameters, optimizer.init(parameters)]. loss: a function of (parameters, *inputs), with `extra` one that
        gives (value, anything else), which then is the second result.

        step = pl.compile(pl.optim.training_step(loss, optimizer))
        state = [w, optimizer.init(w)]
        for x, y in batches:
            value = step.step(state, x, y)
    """
    gradients_of = _value_and_grad(loss, extra=extra, allow_unused=allow_unused)

    def training_step(state: _Any, *inputs: _Any) -> tuple[_Any, _Any]:
        parameters, moments = state
        value, gradients = gradients_of(parameters, *inputs)
        return list(optimizer.update(parameters, gradients, moments)), value

    return training_step


__all__ = [n for n in globals() if not n.startswith("_")]
