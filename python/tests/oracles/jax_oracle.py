"""JAX in float64: loaded when it is first asked for, so that the lists of what is compared can be read without it."""

import importlib

import numpy as np


class _Lazy:
    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        jax = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        return getattr(importlib.import_module(self._name), attribute)


jax, jnp, jnn, special, lax = (_Lazy(n) for n in ("jax", "jax.numpy", "jax.nn", "jax.scipy.special", "jax.lax"))


def by_name(name):
    """JAX's function of that name, or None."""
    for place in (jnp, jnn, special):
        try:
            return getattr(place, name)
        except AttributeError:
            continue
    return None


def to_oracle(x):
    if not isinstance(x, (np.ndarray, np.generic)):
        return x
    return jnp.asarray(x.astype(np.float64) if x.dtype.kind == "f" else x)


def vjp(case, exact, cotangents):
    """The cotangents of the differentiable inputs."""

    def of(*some):
        full = list(exact)
        for position, x in zip(case.differentiable, some):
            full[position] = x
        result = case.oracle(*full)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    _, pullback = jax.vjp(of, *(exact[i] for i in case.differentiable))
    return pullback(tuple(jnp.asarray(c) for c in cotangents))
