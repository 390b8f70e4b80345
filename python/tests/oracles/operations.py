"""What each operation is compared with, and on what. Elementwise functions and reductions are found by their names in
JAX; OWN holds those that are called otherwise, MAKERS those whose arguments need more than a shape, WITHOUT the rest."""

import numpy as np

import pellucid as pl

from . import draw, movement
from .compare import EPS, Case
from .jax_oracle import by_name, jax, jnn, jnp, lax, special

OWN = {
    "rsqrt": lambda x: lax.rsqrt(x * 1.0), "lgamma": lambda x: special.gammaln(x), "erf": lambda x: special.erf(x * 1.0),
    "erfc": lambda x: special.erfc(x * 1.0), "erfinv": lambda x: special.erfinv(x * 1.0),
    "digamma": lambda x: special.digamma(x * 1.0), "hardsigmoid": lambda x: jnn.hard_sigmoid(x),
    "hardswish": lambda x: jnn.hard_swish(x), "softsign": lambda x: jnn.soft_sign(x), "atan2": lambda y, x: jnp.arctan2(y, x),
    "gelu": lambda x: jnp.where(x < -60, 0.0, 0.5 * x * special.erfc(-jnp.maximum(x, -60) / np.sqrt(2))),
    "gelu_tanh": lambda x: jnp.where(x < -60, 0.0, jnp.maximum(x, -60) * jnn.sigmoid(
        2 * np.sqrt(2 / np.pi) * (jnp.maximum(x, -60) + 0.044715 * jnp.maximum(x, -60) ** 3))),
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x), "square": lambda x: x * x, "softmax": lambda x: jnn.softmax(x, axis=-1),
    "log_softmax": lambda x: jnn.log_softmax(x, axis=-1), "relu": lambda x: jnp.maximum(x, 0),
    "sigmoid": lambda x: jnn.sigmoid(x * 1.0), "log_sigmoid": lambda x: jnn.log_sigmoid(x * 1.0),
    "silu": lambda x: jnp.maximum(x, -1e3) * jnn.sigmoid(x * 1.0),
    "mish": lambda x: jnp.maximum(x, -1e3) * jnp.tanh(jnn.softplus(x * 1.0)),
    "relu6": lambda x: jnp.clip(x, 0, 6), "bitwise_left_shift": lambda x, y: x << y, "bitwise_right_shift": lambda x, y: x >> y,
    "fma": lambda x, y, z: x * y + z, "lerp": lambda x, y, t: x + t * (y - x), "logsumexp": lambda x, **k: special.logsumexp(x, **k),
    "positive": lambda x: x, "stop_gradient": lambda x: lax.stop_gradient(x), "reciprocal": lambda x: 1.0 / x,
}

WITHOUT = {
    **{name: "its arrays hold no numbers of the caller's; tests/ops_test.cpp and python/tests/test_array_api.py hold it"
       for name in "zeros ones full zeros_like ones_like full_like arange linspace eye".split()},
    **{name: "bound as indexing x[...]: see getitem" for name in ("index", "slice")},
    "scan": "takes a function; tests/scan_test.cpp and python/tests/test_transforms.py compare it with the loop unrolled",
    "custom": "takes a function and its rules; python/tests/test_transforms.py holds it",
    "nonzero": "python/tests/test_array_api.py compares it with NumPy: its shape depends on values",
    **{name: "reached through its layers, which are compared with PyTorch: see layers.py"
       for name in "convolve convolve_transpose pad_spatial max_pool average_pool adaptive_max_pool adaptive_average_pool "
                   "global_average_pool scaled_dot_product_attention".split()},
}
NO_RANDOM = "its numbers are those of another generator; tests/random_test.cpp holds the distributions"

# Where the oracle itself, in float64, is not accurate to the last places: (relative, of float64 results).
ORACLE_ERROR = {"divide": 1e-15, "reciprocal": 1e-15, "digamma": 1e-10, "lgamma": 1e-10, "erfinv": 1e-12, "erfc": 1e-12, "pow": 1e-11}

EXACT_INTEGERS = ("int32", "int64", "uint8")


# ---- Elementwise -----------------------------------------------------------------------------------------------------


INTEGER_FUNCTIONS = frozenset("""add subtract multiply negative square abs sign maximum minimum equal not_equal less less_equal
greater greater_equal relu positive where stop_gradient floor_divide remainder bitwise_and bitwise_or bitwise_xor
bitwise_invert bitwise_left_shift bitwise_right_shift""".split())


def types_of(name, count):
    """Types that a function takes, floats more often."""
    floats = ["float32", "float32", "float64", "bfloat16"]
    if name.startswith("bitwise"):
        return list(EXACT_INTEGERS) + ([] if "shift" in name else ["bool"])
    if name.startswith("logical"):
        return ["bool"]
    if name in ("fma", "nextafter", "copysign", "signbit"):
        return ["float32", "float64"]
    if name in INTEGER_FUNCTIONS:
        return floats + list(EXACT_INTEGERS)
    if name in ("hardsigmoid", "hardswish", "softsign", "relu6", "elu", "celu", "selu", "leaky_relu", "clip", "lerp", "pow"):
        return floats
    return floats + ["int32"]


def elementwise(name, arguments, derivative, ulps):
    def make(rng):
        dtype = draw.pick(rng, types_of(name, arguments))
        shapes = {1: [(s,) for s in draw.SHAPES], 2: draw.PAIRS, 3: draw.TRIPLES}[arguments]
        shape = draw.pick(rng, shapes)
        differentiate = derivative and dtype in EPS and rng.random() < 0.5
        ulp = ulps.get(name)
        wild = not differentiate and (ulp is not None or name in ("selu", "elu"))
        inputs = [draw.values(rng, s, dtype, wild) for s in shape]
        if "shift" in name:
            inputs[1] = (inputs[1] % 8).astype(inputs[1].dtype)
        if name in ("floor_divide", "remainder"):
            inputs = [draw.values(rng, s, dtype, False) for s in shape]
            inputs[1] = np.where(np.abs(inputs[1].astype(float)) < 0.1, np.asarray(2, inputs[1].dtype), inputs[1])
        if name in ("pow",):
            inputs[0] = np.abs(inputs[0])
        if name in ("acosh",) and differentiate:
            inputs[0] = 1.5 + np.abs(inputs[0])
        if name in ("asin", "acos", "atanh", "erfinv") and differentiate:
            inputs[0] = np.tanh(inputs[0]) * np.asarray(0.9, inputs[0].dtype)
        if name in ("log", "log2", "log10", "sqrt", "rsqrt", "lgamma", "digamma", "log1p") and differentiate:
            inputs[0] = np.abs(inputs[0]) + np.asarray(0.3, inputs[0].dtype)
        if dtype == "bfloat16":
            inputs = [draw.rounded(x) for x in inputs]
        if dtype == "float64" and ulp is not None:
            ulp += ORACLE_ERROR.get(name, 0) * 2.0**52
        oracle = OWN.get(name) or by_name(name)
        if dtype == "int32" and name not in INTEGER_FUNCTIONS:  # computed in float32
            inputs = [x % 1000 if arguments == 2 else x % 20 for x in inputs]
            plain = oracle
            oracle = lambda *v: plain(*(a.astype("float64") for a in v))  # noqa: E731
        if name == "digamma":
            inputs = [np.where(x == np.floor(x), np.abs(x) + np.asarray(1, x.dtype), x) for x in inputs]
        if name == "fma" and dtype == "float64":
            size = np.abs(inputs[0] * inputs[1]) + np.abs(inputs[2])
            return Case(pl.fma, oracle, inputs, dtype, (0, 1, 2) if differentiate else (), None, size, 2.0)
        if arguments == 1 and name in ("softmax", "log_softmax") and shape[0] == ():
            inputs = [draw.values(rng, (7,), dtype, False)]
        return Case(getattr(pl, name), oracle, inputs, dtype if dtype in EPS else "float32",
                    tuple(range(arguments)) if differentiate else (), None if ulp is None else max(ulp, 0.5))

    return make


def next_after(rng):
    dtype = draw.pick(rng, ["float32", "float64"])
    x, y = (draw.values(rng, s, dtype) for s in draw.pick(rng, draw.PAIRS))
    return Case(pl.nextafter, lambda *_: np.nextafter(x, y), [x, y], dtype, (), 0.0)


def choose(rng):
    dtype = draw.pick(rng, ["float32", "float64", "bfloat16", "int32", "bool"])
    shapes = draw.pick(rng, draw.TRIPLES)
    x, y = (draw.values(rng, s, dtype, False) for s in shapes[1:])
    mask = draw.values(rng, shapes[0], "bool")
    differentiable = (1, 2) if dtype in EPS else ()
    return Case(pl.where, lambda c, a, b: jnp.where(c, a, b), [mask, x, y], dtype if dtype in EPS else "float32",
                differentiable, 0.5)


def clip(rng):
    dtype = draw.pick(rng, ["float32", "float64", "int32"])
    x = draw.values(rng, draw.pick(rng, draw.SHAPES), dtype, False)
    low, high = draw.pick(rng, [(-1, 2), (None, 1), (0, None)])
    return Case(lambda v: pl.clip(v, low, high), lambda v: jnp.clip(v, low, high), [x], dtype if dtype in EPS else "float32",
                (0,) if dtype in EPS else (), 0.5)


def masked_fill(rng):
    x = draw.values(rng, draw.pick(rng, draw.SHAPES), "float32", False)
    mask = draw.values(rng, x.shape, "bool")
    return Case(lambda v, m: pl.masked_fill(v, m, 7.0), lambda v, m: jnp.where(m, 7.0, v), [x, mask], "float32", (0,), 0.5)


# ---- Reductions ------------------------------------------------------------------------------------------------------


def reduction(name, derivative):
    exact = name in ("max", "min", "any", "all", "argmax", "argmin")
    single = name in ("argmax", "argmin")

    def make(rng):
        floats = ["float32", "float32", "float64", "bfloat16"]
        dtype = draw.pick(rng, floats + ([] if name in ("var", "std", "logsumexp", "norm", "prod", "mean") else ["int32", "uint8"]))
        shape = draw.pick(rng, draw.SHAPES)
        if (name in ("max", "min", "argmax", "argmin", "logsumexp", "mean", "var", "std")) and 0 in shape:
            shape = (3, 4)
        if single and shape == ():
            shape = (7,)
        axis, keepdims = draw.axis_of(rng, shape, not single), bool(rng.integers(2))
        differentiate = derivative and dtype in EPS and rng.random() < 0.6
        x = draw.values(rng, shape, dtype, exact and not differentiate)
        if dtype == "float32" and not differentiate and rng.random() < 0.1 and x.size:
            x = x.copy()
            x.flat[0] = np.nan
        extra = {"correction": int(rng.integers(2))} if name in ("var", "std") and min(shape, default=1) > 1 else {}
        ours_extra = dict(extra)
        if name in ("var", "std"):
            axis = axis if axis is None or np.ndim(axis) or shape[axis] > 1 else None
            extra = {"ddof": extra.get("correction", 0)}
        if name == "norm":
            p = draw.pick(rng, [1, 2, 3, np.inf])
            ours_extra = {"p": float(p)}
        oracle = OWN.get(name) or by_name(name)
        if name == "norm":
            def oracle(v, axis, keepdims):  # noqa: F811
                if p == np.inf:
                    return jnp.max(jnp.abs(v), axis=axis, keepdims=keepdims, initial=0)
                if p == 2:
                    return jnp.sqrt(jnp.sum(v * v, axis=axis, keepdims=keepdims))
                return jnp.sum(jnp.abs(v) ** p, axis=axis, keepdims=keepdims) ** (1 / p)
        if name in ("std", "norm") and (x.size == 0 or not np.all(np.isfinite(x)) or x.size < 2):
            differentiate = False
        sizes = np.abs(np.nan_to_num(x.astype(np.float64)))
        magnitude = np.sum(sizes, axis=axis, keepdims=keepdims)
        if name == "mean":
            magnitude = magnitude / max(1, x.size // max(1, np.size(magnitude)))
        elif name == "prod":
            magnitude = np.prod(sizes, axis=axis, keepdims=keepdims) * 4
        elif name in ("var", "std"):
            magnitude = np.max(sizes, initial=0) ** (2 if name == "var" else 1) * 4
        elif name in ("logsumexp", "norm"):
            magnitude = None
        factor = 1.0 if dtype == "bfloat16" else np.log2(max(x.size, 1)) + 8
        return Case(lambda v: getattr(pl, name)(v, axis=axis, keepdims=keepdims, **ours_extra),
                    lambda v: oracle(v, axis=axis, keepdims=keepdims, **extra), [x], dtype if dtype in EPS else "float32",
                    (0,) if differentiate else (), 0.5 if exact else None, magnitude, factor * (2 if name == "std" else 1))

    return make


def running(name):
    reference = {"cumsum": "cumsum", "cumprod": "cumprod"}.get(name)

    def oracle(x, axis):
        if reference:
            return getattr(jnp, reference)(x, axis=axis)
        axis = axis % x.ndim
        return (lax.cummax if name == "cummax" else lax.cummin)(x, axis=axis)

    def make(rng):
        dtype = draw.pick(rng, ["float32", "float64", "int64"])
        x = draw.values(rng, draw.pick(rng, [s for s in draw.SHAPES if s and 0 not in s]), dtype, False)
        axis = draw.one_axis(rng, x.shape)
        magnitude = np.sum(np.abs(x.astype(float))) if name == "cumsum" else max(1.0, np.max(np.cumprod(np.maximum(np.abs(x.astype(float)), 1))))
        return Case(lambda v: getattr(pl, name)(v, axis=axis), lambda v: oracle(v, axis), [x],
                    dtype if dtype in EPS else "float32", (0,) if dtype in EPS else (), None, magnitude, 16)

    return make


# ---- Contraction -----------------------------------------------------------------------------------------------------


def contraction(shapes, ours, oracle, types=("float32", "float64", "int64")):
    def make(rng):
        dtype = draw.pick(rng, types)
        inputs = [draw.values(rng, s, dtype, False) for s in draw.pick(rng, shapes)]
        depth = max([1, *(max(np.shape(x), default=1) for x in inputs)])
        sizes = [float(np.max(np.abs(x.astype(float)), initial=0)) for x in inputs]
        return Case(ours, oracle, inputs, dtype if dtype in EPS else "float32",
                    tuple(range(len(inputs))) if dtype in EPS else (), None, depth * np.prod(sizes) + sum(sizes),
                    1.0 if dtype == "bfloat16" else depth + 1)

    return make


MATRICES = [((3, 4), (4, 5)), ((7,), (7,)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2)), ((0, 4), (4, 3)), ((3, 0), (0, 2)),
            ((33, 65), (65, 17)), ((4,), (4, 3)), ((3, 4), (4,)), ((64, 64), (64, 64)), ((1, 200), (200, 1))]


def einsum(rng):
    equation, shapes = draw.pick(rng, [
        ("ij,jk->ik", ((3, 4), (4, 5))), ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))), ("ij->ji", ((3, 4),)), ("ii->i", ((4, 4),)),
        ("i,j->ij", ((3,), (4,))), ("...ij,...jk->...ik", ((2, 3, 4), (4, 5))), ("ij,ij->", ((3, 4), (3, 4))),
        ("abc,cd,de->abe", ((2, 3, 4), (4, 5), (5, 2)))])
    inputs = [draw.values(rng, s, "float64", False) for s in shapes]
    return Case(lambda *v: pl.einsum(equation, *v), lambda *v: jnp.einsum(equation, *v), inputs, "float64",
                tuple(range(len(inputs))), None, 200.0)


def tensordot(rng):
    axes, shapes = draw.pick(rng, [(1, ((3, 4), (4, 5))), (2, ((2, 3, 4), (3, 4, 5))), (0, ((2, 3), (4,))),
                                   (((0, 2), (1, 0)), ((3, 2, 4), (4, 3, 5)))])
    inputs = [draw.values(rng, s, "float64", False) for s in shapes]
    return Case(lambda x, y: pl.tensordot(x, y, axes=axes), lambda x, y: jnp.tensordot(x, y, axes), inputs, "float64", (0, 1),
                None, 200.0)


# ---- Indexing, order -------------------------------------------------------------------------------------------------


def taking(name):
    def make(rng):
        dtype = draw.pick(rng, ["float32", "float64", "bfloat16", "int32"])
        x = draw.values(rng, draw.pick(rng, [s for s in draw.SHAPES if s and 0 not in s]), dtype, False)
        axis = draw.one_axis(rng, x.shape)
        size = x.shape[axis]
        if name == "take":
            at = rng.integers(-size, size, draw.pick(rng, [(3,), (0,), (2, 2), ()]))
            ours, oracle = lambda v: pl.take(v, at, axis=axis), lambda v: jnp.take(v, at % size, axis=axis)
        elif name == "take_along_axis":
            shape = list(x.shape)
            shape[axis] = 4
            at = rng.integers(0, size, shape)
            ours, oracle = lambda v: pl.take_along_axis(v, at, axis=axis), lambda v: jnp.take_along_axis(v, at, axis=axis)
        else:
            at = rng.integers(0, x.shape[0], (2, 3))
            ours, oracle = lambda v: pl.gather(v, [at]), lambda v: v[at]
        return Case(ours, oracle, [x], dtype if dtype in EPS else "float32", (0,) if dtype in EPS else (), 0.5)

    return make


def scattering(along):
    def make(rng):
        dtype = draw.pick(rng, ["float32", "float64", "int64"])
        x = draw.values(rng, draw.pick(rng, [(7,), (3, 4), (2, 3, 5)]), dtype, False)
        axis = draw.one_axis(rng, x.shape) % x.ndim
        size = x.shape[axis]
        if along:
            shape = list(x.shape)
            shape[axis] = 6
            at = rng.integers(0, size, shape)
        else:
            at = rng.integers(0, size, (6,))
            shape = (*x.shape[:axis], 6, *x.shape[axis + 1:])
        u = draw.values(rng, tuple(shape), dtype, False)

        def oracle(v, w):
            if not along:
                return jnp.moveaxis(jnp.moveaxis(v, axis, 0).at[at].add(jnp.moveaxis(w, axis, 0)), 0, axis)
            grid = list(jnp.meshgrid(*(jnp.arange(n) for n in shape), indexing="ij"))
            grid[axis] = at
            return v.at[tuple(grid)].add(w)

        function = pl.scatter_add_along_axis if along else pl.scatter_add
        return Case(lambda v, w: function(v, at, w, axis=axis), oracle, [x, u], dtype if dtype in EPS else "float32",
                    (0, 1) if dtype in EPS else (), None, 50.0)

    return make


def ordering(name):
    def make(rng):
        dtype = draw.pick(rng, ["float32", "float64", "int32", "uint8"])
        x = draw.values(rng, draw.pick(rng, [s for s in draw.SHAPES if s]), dtype, name == "sort")
        if dtype in EPS and name != "sort" and rng.random() < 0.5 and x.size:
            x = np.round(x)
            x.flat[0] = np.nan
        axis, descending = draw.one_axis(rng, x.shape), bool(rng.integers(2)) and not np.isnan(x.astype(float)).any()
        plain = name == "sort" and dtype in EPS and len(np.unique(x)) == x.size and np.isfinite(x).all()
        if name == "sort":
            oracle = lambda v: jnp.sort(v, axis=axis, descending=descending)  # noqa: E731
        else:
            oracle = lambda v: jnp.argsort(v, axis=axis, descending=descending, stable=True)  # noqa: E731
        return Case(lambda v: getattr(pl, name)(v, axis=axis, descending=descending), oracle, [x],
                    dtype if dtype in EPS else "float32", (0,) if plain else (), 0.5)

    return make


def topk(rng):
    x = rng.permutation(60).reshape(3, 4, 5).astype(np.float32)
    k = int(rng.integers(1, 5))
    return Case(lambda v: tuple(pl.topk(v, k)), lambda v: tuple(lax.top_k(v, k)), [x], "float32", (), 0.5)


def searchsorted(rng):
    edges = np.sort(draw.values(rng, draw.pick(rng, [(7,), (33,), (0,), (1,)]), "float64", False))
    x = draw.values(rng, draw.pick(rng, draw.SHAPES), "float64", False)
    side = draw.pick(rng, ["left", "right"])
    return Case(lambda a, v: pl.searchsorted(a, v, side=side), lambda a, v: jnp.searchsorted(a, v, side=side), [edges, x],
                "float64", (), 0.5)


def one_hot(rng):
    at = rng.integers(-2, 7, draw.pick(rng, draw.SHAPES))
    return Case(lambda v: pl.one_hot(v, 5), lambda v: jnn.one_hot(v, 5), [at], "float32", (), 0.5)


def astype(rng):
    source, target = draw.pick(rng, ["float32", "float64", "int32", "uint8", "bool"]), draw.pick(rng, ["float32", "float64", "int64", "bool"])
    x = draw.values(rng, draw.pick(rng, draw.SHAPES), source, False)
    return Case(lambda v: pl.astype(v, getattr(pl, target)), lambda v: jnp.asarray(v).astype(target), [x],
                source if source in EPS else "float32", (), 0.5)


def meshgrid(rng):
    x, y = draw.values(rng, (3,), "float32", False), draw.values(rng, (4,), "float32", False)
    return Case(lambda a, b: tuple(pl.meshgrid(a, b, indexing="ij")), lambda a, b: tuple(jnp.meshgrid(a, b, indexing="ij")),
                [x, y], "float32", (0, 1), 0.5)


def global_max(rng):
    x = rng.permutation(2 * 3 * 4 * 2).reshape(2, 3, 4, 2).astype(np.float32)
    return Case(pl.global_max_pool, lambda v: jnp.max(v, axis=(1, 2)), [x], "float32", (0,), 0.5)


MAKERS = {
    "nextafter": next_after, "where": choose, "clip": clip, "masked_fill": masked_fill,
    **movement.MAKERS,
    "cumsum": running("cumsum"), "cumprod": running("cumprod"), "cummax": running("cummax"), "cummin": running("cummin"),
    "matmul": contraction(MATRICES, pl.matmul, lambda x, y: jnp.matmul(x, y), ("float32", "float64", "int64", "bfloat16")),
    "linear": contraction([((2, 4, 6), (6, 5), (5,)), ((3, 4), (4, 2), (2,)), ((0, 4), (4, 2), (2,)), ((40, 33), (33, 50), (50,))],
                          pl.linear, lambda x, w, b: jnp.matmul(x, w) + b),
    "outer": contraction([((4,), (5,)), ((0,), (3,)), ((33,), (7,))], pl.outer, lambda x, y: jnp.outer(x, y)),
    "vecdot": contraction([((4, 5), (4, 5)), ((7,), (7,)), ((0,), (0,)), ((3, 200), (3, 200))], pl.vecdot,
                          lambda x, y: jnp.sum(x * y, axis=-1)),
    "tensordot": tensordot, "einsum": einsum, "take": taking("take"), "take_along_axis": taking("take_along_axis"),
    "gather": taking("gather"), "scatter_add": scattering(False), "scatter_add_along_axis": scattering(True),
    "sort": ordering("sort"), "argsort": ordering("argsort"), "topk": topk, "searchsorted": searchsorted, "one_hot": one_hot,
    "astype": astype, "meshgrid": meshgrid, "global_max_pool": global_max,
}


def maker(name, section, arguments, derivative, ulps):
    """A function of a generator that makes a Case; a reason (text) why there is none; or None."""
    if name.startswith("random."):
        return NO_RANDOM
    if name in WITHOUT:
        return WITHOUT[name]
    if name in MAKERS:
        return MAKERS[name]
    if section == "Reductions" and (name in OWN or name == "norm" or by_name(name)):
        return reduction(name, derivative)
    if (section.startswith("Elementwise") or section in ("Activations", "Control and rules")) and (name in OWN or by_name(name)):
        return elementwise(name, arguments, derivative, ulps)
    return None
