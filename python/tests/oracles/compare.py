"""One case: what the engine and an oracle say of the same numbers, and how far apart they may be."""

import dataclasses
import typing

import numpy as np

import pellucid as pl

from . import draw

EPS = {"float32": 2.0**-23, "float64": 2.0**-52, "bfloat16": 2.0**-7}


@dataclasses.dataclass
class Case:
    """ours and oracle: functions of arrays, of `inputs` in this order.

    inputs: NumPy arrays; dtype: the type that floats among them have in the engine. The oracle computes in float64.
    differentiable: positions of the inputs that are differentiated, too.
    ulp: the most error in units in the last place of the exact value.
    magnitude: without ulp, errors are `factor` units of rounding of this: an array of the result's shape, or a number;
        None: of the result, and of the largest input.
    """

    ours: typing.Callable
    oracle: typing.Callable
    inputs: list
    dtype: str = "float32"
    differentiable: tuple = ()
    ulp: float | None = None
    magnitude: typing.Any = None
    factor: float = 16.0


class Difference(AssertionError):
    pass


def flat(result):
    if isinstance(result, (tuple, list)):
        return [x for r in result for x in flat(r)]
    return [result]


def host(x):
    return np.asarray(pl.astype(x, pl.float32) if x.dtype == pl.bfloat16 else x)


def check_value(got, want, case):
    got_dtype = got.dtype.name
    g, want = host(got), np.asarray(want)
    if g.shape != want.shape:
        raise Difference(f"shape {g.shape}, and the oracle {want.shape}")
    if g.dtype.kind != "f":
        if not np.array_equal(g, want):
            raise Difference(f"{g} and {want}")
        return 0.0
    eps = EPS[got_dtype]
    with np.errstate(all="ignore"):
        limit = np.finfo("float64" if got_dtype == "float64" else "float32")
        tiny, largest = float(limit.tiny), float(limit.max)
        w = want.astype(np.float64)
        nan = np.isnan(w)
        if not np.array_equal(np.isnan(g), nan):
            raise Difference(f"NaN at other places: {g} and {w}")
        infinite = np.isinf(w) | (np.abs(w) > largest * (1 - 4 * eps))
        settled = nan | infinite
        same = (np.sign(g) == np.sign(w)) & (np.abs(g) >= largest * (1 - 8 * eps))
        if (infinite & ~same).any():
            raise Difference(f"infinity at other places: {g} and {w}")
        g64, w = g.astype(np.float64), np.where(settled, 0, w)
        error = np.where(settled, 0, np.abs(g64 - w))
        if case.ulp is not None:
            exponent = np.floor(np.log2(np.maximum(np.abs(w), tiny)))
            allowed = (case.ulp + (0.5 if got_dtype == "bfloat16" else 0.001)) * eps * np.exp2(exponent)
            if got_dtype == "float64" and case.ulp > 0.5:  # the oracle's own error
                allowed = (case.ulp + 1000) * eps * np.maximum(np.abs(w), tiny)
        else:
            scale = case.magnitude if case.magnitude is not None else np.abs(w) + largest_input(case)
            allowed = case.factor * eps * np.broadcast_to(np.asarray(scale, np.float64), w.shape) + tiny
        ratio = np.where(error > 0, error / allowed, 0)
    worst = float(np.max(ratio, initial=0))
    if not worst <= 1:
        at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        raise Difference(f"{g[at]!r} where the oracle says {w[at]!r}: {worst:.3g} of what is allowed, at {tuple(map(int, at))}")
    return worst


def largest_input(case):
    sizes = [np.max(np.abs(x[np.isfinite(x)].astype(float)), initial=0) for x in map(np.asarray, case.inputs)]
    return float(max(sizes, default=0))


def check_gradient(got, want, dtype, largest):
    g, w = host(got).astype(np.float64), np.asarray(want, dtype=np.float64)
    if g.shape != w.shape:
        raise Difference(f"gradient of shape {g.shape}, and the oracle {w.shape}")
    finite = np.isfinite(w) & np.isfinite(g)
    if (np.isfinite(w) & ~np.isfinite(g)).any():
        raise Difference(f"a gradient is not finite: {g} and {w}")
    scale = np.abs(w) + np.max(np.abs(w[finite]), initial=0) + largest + 1e-30
    relative = {"float32": 1e-5, "float64": 1e-11, "bfloat16": 0.1}[dtype]
    with np.errstate(invalid="ignore"):
        ratio = np.where(finite, np.abs(g - w) / (relative * scale), 0)
    worst = float(np.max(ratio, initial=0))
    if not worst <= 1:
        at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        raise Difference(f"gradient {g[at]!r} where the oracle says {w[at]!r}: {worst:.3g} of what is allowed")
    return worst


def run(case, rng, compiled, oracle_vjp, to_oracle):
    """(worst value, worst gradient or None), as shares of what is allowed. Raises Difference."""
    ours = pl.compile(case.ours) if compiled else case.ours
    arrays = [draw.laid(rng, x, case.dtype if np.asarray(x).dtype.kind == "f" else str(np.asarray(x).dtype))
              if isinstance(x, (np.ndarray, np.generic)) else x for x in case.inputs]
    exact = [to_oracle(x) for x in case.inputs]
    got, want = flat(ours(*arrays)), flat(case.oracle(*exact))
    if len(got) != len(want):
        raise Difference(f"{len(got)} results, and the oracle {len(want)}")
    worst = max((check_value(g, w, case) for g, w in zip(got, want)), default=0.0)
    if not case.differentiable:
        return worst, None

    def ours_of(*some):
        full = list(arrays)
        for position, x in zip(case.differentiable, some):
            full[position] = x
        return tuple(flat(case.ours(*full)))

    cotangents = [rng.normal(size=np.shape(w)) for w in want]
    _, pullback = pl.vjp(ours_of, *(arrays[i] for i in case.differentiable))
    given = tuple(pl.astype(pl.asarray(c), g.dtype) for c, g in zip(cotangents, got))
    gradients = pullback(given)
    cotangents = [host(c).astype(np.float64) for c in given]
    references = oracle_vjp(case, exact, cotangents)
    gradients = [pl.zeros_like(arrays[i]) if g is None else g for g, i in zip(gradients, case.differentiable)]
    largest = (1e-3 if len(case.inputs) < 4 else 1.0) * max((np.max(np.abs(np.nan_to_num(np.asarray(r), posinf=0, neginf=0)), initial=0) for r in references), default=0)
    steepest = max((check_gradient(g, r, case.dtype, largest) for g, r in zip(gradients, references)), default=0.0)
    return worst, steepest
