"""Transforms: functions of trees of arrays in, functions of trees of arrays out. They nest in any order.

A tree is an array, or a dict, list, tuple, named tuple, dataclass or module of trees. Other values stand as they are.
"""

from __future__ import annotations

import functools as _functools
from collections.abc import Callable as _Callable
from typing import Any as _Any

from . import _core


def _positions(arguments: int | _Any) -> list[int]:
    return [arguments] if isinstance(arguments, int) else [int(i) for i in arguments]


def _wraps(what: str, function: _Any) -> _Any:
    """functools.wraps for what is a function; else a TypeError, where it is given and not where it would be called."""
    if not callable(function):
        raise TypeError(f"{what}: give a function of arrays, not {function!r}")
    return _functools.wraps(function)


def _only(arguments: int | _Any, result: _Any) -> _Any:
    return result[0] if isinstance(arguments, int) else result


def value_and_grad(
    function: _Callable[..., _Any], arguments: int | tuple[int, ...] = 0, *, extra: bool = False, allow_unused: bool = False,
) -> _Callable[..., _Any]:
    """A function that gives (function(...), its gradients).

    function: gives a floating scalar; with `extra`, a pair (scalar, anything else), and then the result is
        ((scalar, anything else), gradients).
    arguments: the position of the argument to differentiate, or a tuple of positions (then gradients are a tuple).
        Gradients have the argument's structure, None where it holds no floats. Those of a module are a dict by the
        names of its trainable parameters; running statistics that the call left stay in the module.
    allow_unused: zeros for arrays without influence on the value; else they are a ValueError that names them.
    """

    @_wraps("value_and_grad", function)
    def with_gradients(*args: _Any, **kwargs: _Any) -> _Any:
        value, rest, gradients = _core._value_and_grad(
            function, args, kwargs, _positions(arguments), extra, allow_unused
        )
        return ((value, rest) if extra else value), _only(arguments, gradients)

    return with_gradients


def grad(
    function: _Callable[..., _Any], arguments: int | tuple[int, ...] = 0, *, extra: bool = False, allow_unused: bool = False,
) -> _Callable[..., _Any]:
    """A function that gives the gradients of `function`; with `extra`, (gradients, anything else). See value_and_grad."""

    @_wraps("grad", function)
    def gradient(*args: _Any, **kwargs: _Any) -> _Any:
        _, rest, gradients = _core._value_and_grad(function, args, kwargs, _positions(arguments), extra, allow_unused)
        gradients = _only(arguments, gradients)
        return (gradients, rest) if extra else gradients

    return gradient


def vjp(function: _Callable[..., _Any], *args: _Any) -> tuple[_Any, _Callable[[_Any], tuple[_Any, ...]]]:
    """(function(*args), pullback): pullback takes cotangents of the result to a tuple of cotangents of the arguments."""
    return _core._vjp(function, args)


def jvp(function: _Callable[..., _Any], arguments: _Any, tangents: _Any) -> tuple[_Any, _Any]:
    """(function(*arguments), its derivative in the direction `tangents`), by forward mode; both are tuples of trees."""
    return _core._jvp(function, tuple(arguments), tuple(tangents))


def vmap(function: _Callable[..., _Any], in_axes: _Any = 0, out_axes: _Any = 0) -> _Callable[..., _Any]:
    """A function for one example as a function for a batch.

    in_axes: the batch axis of all arguments; or a tuple with one for each, None where an argument has no batch axis, or
        a tree of axes with the argument's structure. Python numbers have none.
    out_axes: where results get their batch axis; an integer, or a tree with the result's structure.
    """

    @_wraps("vmap", function)
    def batched(*args: _Any, **kwargs: _Any) -> _Any:
        axes = in_axes
        if isinstance(axes, list):
            axes = tuple(axes)
        if isinstance(axes, tuple) and len(axes) != len(args):
            raise ValueError(f"vmap: in_axes names {len(axes)} arguments, and {len(args)} are given")
        return _core._vmap(function, args, kwargs, axes, out_axes)

    return batched


def jacobian(function: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """A function that gives the matrix of derivatives of an array by an array: of shape f(x).shape + x.shape."""

    @_wraps("jacobian", function)
    def matrix(x: _Any) -> _Any:
        return _core._jacobian(function, x)

    return matrix


def hessian_product(function: _Callable[..., _Any], x: _Any, v: _Any) -> _Any:
    """H v for the Hessian H of a scalar function at x, without forming H; x and v are trees of one structure."""
    return _core._hessian_product(function, x, v)


def checkpoint(function: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """`function`, whose intermediate values are not kept for backward but computed again (Chen et al. 2016)."""

    @_wraps("checkpoint", function)
    def recomputed(*args: _Any, **kwargs: _Any) -> _Any:
        return _core._checkpoint(function, args, kwargs)

    return recomputed


def scan(
    function: _Callable[..., _Any], carry: _Any, xs: _Any = None, *, length: int | None = None, reverse: bool = False,
) -> tuple[_Any, _Any]:
    """(last carry, ys): runs function(carry, x) -> (carry, y) for each x along the leading axis of the arrays in `xs`.

    ys are stacked along a new leading axis. The function is traced once. length: the number of steps without xs.
    """
    return _core._scan(function, carry, xs, -1 if length is None else length, reverse)


def custom(function: _Callable[..., _Any], vjp: _Callable[..., _Any]) -> _Callable[..., _Any]:
    """`function` with a derivative of its own.

    vjp(arguments, result, cotangents): arguments is a tuple; gives the cotangents of the arguments, a tuple where there
    are several, None for none. Forward mode is not defined then.
    """

    @_wraps("custom", function)
    def with_rule(*args: _Any) -> _Any:
        return _core._custom(function, vjp, args)

    return with_rule


def compile(function: _Callable[..., _Any] | None = None, *, name: str | None = None) -> _Any:
    """`function`, traced once for each structure, shape and type of its arguments and then run as one plan.

    Python numbers are inputs of the plan; booleans, text, None and other values belong to the signature. Arrays that the
    function captured are constants. Modules among the arguments hold the arrays of the call; what the call changes in
    them (parameters, running statistics) is written back. Inside another transform a call is one of `function` itself.

        step = pl.compile(pl.value_and_grad(loss))
        value, gradients = step(weights, x, y)

    The result has a method `step(state, *inputs)`: see Compiled.step.
    """
    if function is None:
        return _functools.partial(compile, name=name)
    _wraps("compile", function)
    compiled = _core.Compiled(function, name or getattr(function, "__name__", type(function).__name__))
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        try:
            setattr(compiled, attribute, getattr(function, attribute))
        except AttributeError:
            pass
    compiled.__wrapped__ = function
    return compiled
