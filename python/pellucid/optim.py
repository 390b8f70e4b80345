"""Optimisers: rules that turn gradients into new parameters, for fit and for loops by hand.

    optimizer = pl.optim.Adam(learning_rate=1e-3)                        # a rule
    optimizer = pl.optim.Optimizer(optimizer, clip_global_norm=1.0)      # and what goes around it

    state = optimizer.init(w)                                            # w: a tree of arrays, or a module
    w, state = optimizer.update(w, gradients, state)

In formulas w is a parameter, g its gradient, t the number of this update, from 1, and r the learning rate.
`weight_decay` d is coupled (g becomes g + d w) unless `decoupled` (w becomes w (1 - r d) first).
"""

from ._core.optim import (  # noqa: F401
    LAMB, LBFGS, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, AMSGrad, Group, LevenbergMarquardt, Lion, Minimum, NAdam,
    Optimizer, Progress, RAdam, RMSprop, by_name, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm,
    l1_penalty, l2_penalty, least_squares, minimize, moving_average, names,
)
from ._transforms import value_and_grad as _value_and_grad


def training_step(loss, optimizer, *, extra=False, allow_unused=False):
    """One step of training as a function for compile: (state, *inputs) -> (new state, value of the loss).

    state: [parameters, optimizer.init(parameters)]. loss: a function of (parameters, *inputs), with `extra` one that
        gives (value, anything else), which then is the second result.

        step = pl.compile(pl.optim.training_step(loss, optimizer))
        state = [w, optimizer.init(w)]
        for x, y in batches:
            value = step.step(state, x, y)
    """
    gradients_of = _value_and_grad(loss, extra=extra, allow_unused=allow_unused)

    def training_step(state, *inputs):
        parameters, moments = state
        value, gradients = gradients_of(parameters, *inputs)
        return list(optimizer.update(parameters, gradients, moments)), value

    return training_step


__all__ = [n for n in globals() if not n.startswith("_")]
