"""Operations that move values: each maker draws the arguments, and gives ours and the oracle's as functions of one array."""

import pellucid as pl

from . import draw
from .compare import EPS, Case
from .jax_oracle import jnp


def movement(build, least=0):
    """build(rng, shape) -> (ours, oracle) of one array; values are moved, so results are exact."""

    def make(rng):
        dtype = draw.pick(rng, ["float32", "float64", "bfloat16", "int32", "uint8", "bool"])
        shape = draw.pick(rng, [s for s in draw.SHAPES if len(s) >= least])
        ours, oracle = build(rng, shape)
        return Case(ours, oracle, [draw.values(rng, shape, dtype, False)], dtype if dtype in EPS else "float32",
                    (0,) if dtype in EPS else (), 0.5)

    return make


def both(ours, theirs):
    return lambda x: ours(x), lambda x: theirs(x)


def m_reshape(rng, s):
    to = draw.pick(rng, [(-1,), (1, *s), (*s, 1)]) if 0 not in s else (1, *s)
    return both(lambda x: pl.reshape(x, to), lambda x: jnp.reshape(x, to))


def m_flatten(rng, s):
    first = int(rng.integers(len(s)))
    if 0 in s:
        first = len(s) - 1
    return both(lambda x: pl.flatten(x, first), lambda x: jnp.reshape(x, (*s[:first], -1) if 0 not in s else s))


def m_squeeze(rng, s):
    return both(lambda x: pl.squeeze(pl.expand_dims(x, axis=0), 0), lambda x: x)


def m_expand(rng, s):
    axis = int(rng.integers(-len(s) - 1, len(s) + 1))
    return both(lambda x: pl.expand_dims(x, axis=axis), lambda x: jnp.expand_dims(x, axis))


def m_permute(rng, s):
    order = tuple(int(i) for i in rng.permutation(len(s)))
    return both(lambda x: pl.permute(x, order), lambda x: jnp.transpose(x, order))


def m_swap(rng, s):
    a, b = draw.one_axis(rng, s), draw.one_axis(rng, s)
    return both(lambda x: pl.swapaxes(x, a, b), lambda x: jnp.swapaxes(x, a, b))


def m_move(rng, s):
    a, b = draw.one_axis(rng, s), draw.one_axis(rng, s)
    return both(lambda x: pl.moveaxis(x, a, b), lambda x: jnp.moveaxis(x, a, b))


def m_broadcast(rng, s):
    return both(lambda x: pl.broadcast_to(x, (3, *s)), lambda x: jnp.broadcast_to(x, (3, *s)))


def m_broadcast_all(rng, s):
    return both(lambda x: pl.broadcast_arrays(x, pl.zeros((2, *s)))[0], lambda x: jnp.broadcast_to(x, (2, *s)))


def m_concat(rng, s):
    axis = draw.one_axis(rng, s)
    return both(lambda x: pl.concat([x, x], axis=axis), lambda x: jnp.concatenate([x, x], axis))


def m_stack(rng, s):
    axis = int(rng.integers(-len(s) - 1, len(s) + 1))
    return both(lambda x: pl.stack([x, x, x], axis=axis), lambda x: jnp.stack([x, x, x], axis))


def m_unstack(rng, s):
    axis = draw.one_axis(rng, s)
    return both(lambda x: pl.unstack(x, axis=axis), lambda x: tuple(jnp.moveaxis(x, axis, 0)))


def m_split(rng, s):
    axis = draw.one_axis(rng, s)
    at = sorted(int(i) for i in rng.integers(0, s[axis] + 1, size=2))
    return both(lambda x: pl.split(x, at, axis=axis), lambda x: tuple(jnp.split(x, at, axis)))


def m_pad(rng, s):
    widths = [tuple(int(i) for i in rng.integers(0, 3, size=2)) for _ in s]
    return both(lambda x: pl.pad(x, widths), lambda x: jnp.pad(x, widths) if widths else x)


def m_flip(rng, s):
    axis = draw.axis_of(rng, s)
    return both(lambda x: pl.flip(x, axis=axis), lambda x: jnp.flip(x, axis))


def m_roll(rng, s):
    shift, axis = int(rng.integers(-9, 9)), draw.axis_of(rng, s, False)
    return both(lambda x: pl.roll(x, shift, axis=axis), lambda x: jnp.roll(x, shift, axis))


def m_tile(rng, s):
    times = tuple(int(i) for i in rng.integers(1, 3, size=max(len(s), 1)))
    return both(lambda x: pl.tile(x, times), lambda x: jnp.tile(x, times))


def m_repeat(rng, s):
    axis = draw.axis_of(rng, s, False)
    return both(lambda x: pl.repeat(x, 3, axis=axis), lambda x: jnp.repeat(x, 3, axis))


def m_triangle(name):
    def build(rng, s):
        k = int(rng.integers(-3, 4))
        return both(lambda x: getattr(pl, name)(x, k=k), lambda x: getattr(jnp, name)(x, k))

    return build


def m_diag(rng, s):
    if len(s) == 1:
        return both(pl.diag, lambda x: jnp.diag(x))
    n = min(s[-2:])
    return both(lambda x: pl.diag(x[..., :n, :n]), lambda x: jnp.diagonal(x[..., :n, :n], axis1=-2, axis2=-1))


def m_index(rng, s):
    key = []
    for size in s:
        way = rng.integers(4)
        if way == 0 and size:
            key.append(int(rng.integers(-size, size)))
        elif way == 1:
            key.append(slice(None, None, int(rng.choice([-2, -1, 2]))))
        elif way == 2:
            a, b = sorted(int(i) for i in rng.integers(0, size + 1, size=2))
            key.append(slice(a, b))
        else:
            key.append(slice(None))
    key = tuple(key)
    return both(lambda x: x[key], lambda x: x[key])


MAKERS = {
    "reshape": movement(m_reshape), "flatten": movement(m_flatten, 1), "squeeze": movement(m_squeeze),
    "expand_dims": movement(m_expand), "permute": movement(m_permute),
    "transpose": movement(lambda r, s: both(pl.transpose, lambda x: jnp.swapaxes(x, -1, -2)), 2),
    "swapaxes": movement(m_swap, 1), "moveaxis": movement(m_move, 1), "broadcast_to": movement(m_broadcast),
    "broadcast_arrays": movement(m_broadcast_all), "concat": movement(m_concat, 1), "stack": movement(m_stack),
    "unstack": movement(m_unstack, 1), "split": movement(m_split, 1), "pad": movement(m_pad, 1), "flip": movement(m_flip),
    "roll": movement(m_roll), "tile": movement(m_tile), "repeat": movement(m_repeat), "tril": movement(m_triangle("tril"), 2),
    "triu": movement(m_triangle("triu"), 2), "diag": movement(m_diag, 1), "getitem": movement(m_index),
}
