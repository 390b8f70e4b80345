"""Random shapes, values and layouts. Shapes are few, so that JAX compiles each function for few of them."""

import numpy as np

import pellucid as pl

SHAPES = [(), (1,), (7,), (0,), (3, 4), (4, 0), (2, 3, 5), (1, 6, 1), (33,), (5, 64), (2, 2, 3, 3)]
PAIRS = [((), ()), ((7,), (7,)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 3, 5), (3, 1)), ((0,), (0,)), ((4, 0), (1,)),
         ((5, 64), (5, 64)), ((), (3, 4)), ((1, 6, 1), (2, 1, 5))]
TRIPLES = [((7,), (7,), (7,)), ((3, 4), (4,), ()), ((2, 1), (1, 3), (2, 3)), ((0,), (1,), (0,)), ((5, 64),) * 3]
FLOATS = ("float32", "float64", "bfloat16")
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 1e-30, -1e30, 3.0, 1e-40])


def values(rng, shape, dtype, wild=True):
    """Numbers of a type. wild: of all magnitudes, with NaN, infinities and zeros among them; else about 1."""
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype == "uint8":
        return rng.integers(0, 256, shape).astype(np.uint8)
    if dtype in ("int32", "int64"):
        info = np.iinfo(dtype)
        high = rng.choice([4, 100, info.max]) if wild else 5
        return rng.integers(max(-high, info.min), high, shape, dtype=dtype)
    x = rng.normal(size=shape) * (rng.choice([0.1, 1.0, 10.0]) if wild else 1.5)
    if wild:
        wide = np.exp(rng.uniform(-60, 60, shape)) * rng.choice([-1, 1], shape)
        x = np.where(rng.random(shape) < 0.2, wide, x)
        x = np.where(rng.random(shape) < 0.1, rng.choice(SPECIAL, shape), x)
    with np.errstate(over="ignore"):
        x = np.asarray(x).astype("float32" if dtype == "bfloat16" else dtype)
    return rounded(x) if dtype == "bfloat16" else x


def rounded(x):
    """The nearest bfloat16, in float32."""
    return np.array(pl.astype(pl.astype(pl.asarray(x), pl.bfloat16), pl.float32))


def laid(rng, x, dtype):
    """x as an array of the engine: contiguous, transposed, every second element of more, reversed, or repeated."""
    array = pl.astype(pl.asarray(x, copy=True), getattr(pl, dtype))
    way = rng.integers(5)
    if array.ndim == 0 or way == 0:
        return array
    if way == 1 and array.ndim > 1:
        order = tuple(int(i) for i in rng.permutation(array.ndim))
        return pl.permute_dims(pl.permute_dims(array, order), tuple(int(i) for i in np.argsort(order)))
    if way == 2:
        return pl.repeat(array, 2, axis=-1)[..., ::2]
    if way == 3:
        return pl.flip(pl.asarray(np.flip(np.array(array), -1).copy()) if dtype != "bfloat16" else pl.flip(array, axis=-1), axis=-1)
    return pl.broadcast_to(array, (2, *array.shape))[1]


def axis_of(rng, shape, several=True):
    """None, an axis, or with `several` some axes."""
    if not shape:
        return None
    way = rng.integers(3 if several else 2)
    if way == 0:
        return None
    if way == 1:
        return int(rng.integers(-len(shape), len(shape)))
    return tuple(int(i) for i in np.flatnonzero(rng.random(len(shape)) < 0.6)) or 0


def one_axis(rng, shape):
    return int(rng.integers(-len(shape), len(shape)))


def pick(rng, options):
    return options[int(rng.integers(len(options)))]
