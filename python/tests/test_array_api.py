"""Functions of the array API standard against NumPy, on drawn arrays: values, shapes, types, special values."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import pellucid as pl

xps = make_strategies_namespace(pl, api_version="2024.12")
QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)
FLOATS, INTEGERS = ["float32", "float64"], ["uint8", "int32", "int64"]
NUMBERS, ALL = INTEGERS + FLOATS, ["bool"] + INTEGERS + FLOATS
SHAPES = xps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


def arrays(types, shape=SHAPES, **elements):
    """Arrays of one of the types, contiguous or a strided view of a larger one."""

    def draw(dtype):
        made = xps.arrays(dtype=getattr(pl, dtype), shape=shape, elements=elements or None)
        return st.tuples(made, st.booleans()).map(lambda pair: turned(pair[0]) if pair[1] else pair[0])

    return st.sampled_from(types).flatmap(draw)


def turned(x):
    """The same values as every second one of twice as many."""
    return pl.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x


def pairs(types):
    """Two arrays of one type whose shapes broadcast."""
    return st.tuples(st.sampled_from(types), xps.mutually_broadcastable_shapes(2, max_dims=3, max_side=4)).flatmap(
        lambda drawn: st.tuples(*(xps.arrays(dtype=getattr(pl, drawn[0]), shape=s) for s in drawn[1].input_shapes)))


def n(x):
    return np.asarray(x)


def close(got, want, ulp, dtype=None):
    """Shapes and types are equal, values within `ulp` units in the last place; NaN where NaN."""
    want = np.asarray(want)
    assert got.shape == want.shape, (got.shape, want.shape)
    name = str(dtype or want.dtype)
    assert got.dtype.name == name, (got.dtype.name, name)
    g = n(got)
    want = quiet(want.astype, g.dtype) if g.dtype.kind == "f" else want
    if ulp == 0 or g.dtype.kind != "f":
        np.testing.assert_array_equal(g, want)
        return
    np.testing.assert_array_equal(np.isnan(g), np.isnan(want))
    finite = np.isfinite(want) & np.isfinite(g)
    largest = np.finfo(g.dtype).max
    huge = ~finite & ~np.isnan(want)
    assert ((g[huge] == want[huge]) | ((np.abs(g[huge]) >= largest) & (np.sign(g[huge]) == np.sign(want[huge])))).all()
    off = np.abs(g[finite].astype(np.longdouble) - want[finite]) > ulp * np.spacing(np.maximum(np.abs(want[finite]),
                                                                                                np.finfo(g.dtype).tiny))
    assert not off.any(), (g[finite][off], want[finite][off])


def wide(x):
    """In a type that has room for the exact result."""
    return n(x).astype(np.longdouble if n(x).dtype == np.float64 else np.float64)


def quiet(function, *args, **kwargs):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


# ---- Elementwise -----------------------------------------------------------------------------------------------------

ONE = {  # name: (types, most ulp)
    **{name: (FLOATS, 2) for name in "acos acosh asin asinh atan atanh cos cosh expm1 log10 log1p log2 sin sinh tan".split()},
    **{name: (FLOATS, 1) for name in "exp log sqrt tanh reciprocal".split()},
    **{name: (FLOATS + INTEGERS, 0) for name in "ceil floor round trunc sign positive conj real".split()},
    "abs": (FLOATS + INTEGERS, 0), "negative": (FLOATS + ["int32", "int64"], 0), "square": (FLOATS + INTEGERS, 0),
    "isfinite": (NUMBERS, 0), "isinf": (NUMBERS, 0), "isnan": (NUMBERS, 0), "signbit": (FLOATS, 0),
    "logical_not": (["bool"], 0), "bitwise_invert": (["bool"] + INTEGERS, 0),
}


@pytest.mark.parametrize("name", ONE)
@given(data=st.data())
@QUICK
def test_functions_of_one_array(name, data):
    types, ulp = ONE[name]
    x = data.draw(arrays(types))
    reference = getattr(np, name)
    want = quiet(reference, wide(x) if ulp else n(x))
    close(getattr(pl, name)(x), want, ulp, x.dtype.name if ulp else None)


TWO = {
    **{name: (NUMBERS, 0) for name in "add subtract multiply maximum minimum".split()},
    **{name: (ALL, 0) for name in "equal not_equal".split()},
    **{name: (NUMBERS, 0) for name in "less less_equal greater greater_equal".split()},
    **{name: (["bool"], 0) for name in "logical_and logical_or logical_xor".split()},
    **{name: (["bool"] + INTEGERS, 0) for name in "bitwise_and bitwise_or bitwise_xor".split()},
    "divide": (FLOATS, 1), "atan2": (FLOATS, 2), "hypot": (FLOATS, 2), "logaddexp": (FLOATS, 2), "copysign": (FLOATS, 0),
    "nextafter": (FLOATS, 0),
}


@pytest.mark.parametrize("name", TWO)
@given(data=st.data())
@QUICK
def test_functions_of_two_arrays(name, data):
    types, ulp = TWO[name]
    x, y = data.draw(pairs(types))
    a, b = (wide(x), wide(y)) if ulp else (n(x), n(y))
    close(getattr(pl, name)(x, y), quiet(getattr(np, name), a, b), ulp, x.dtype.name if ulp else None)


@given(data=st.data())
@QUICK
def test_pow(data):
    x, y = data.draw(pairs(FLOATS))
    close(pl.pow(x, y), quiet(np.power, wide(x), wide(y)), 2, x.dtype.name)
    i, j = data.draw(pairs(["int32", "int64"]))
    j = j % 5
    close(pl.pow(i, j), quiet(np.power, n(i), n(j)), 0)


@given(data=st.data())
@QUICK
def test_floor_divide_and_remainder(data):
    x, y = data.draw(pairs(INTEGERS))
    y = pl.where(y == 0, pl.asarray(1, dtype=y.dtype), y)
    close(pl.floor_divide(x, y), quiet(np.floor_divide, n(x), n(y)), 0)
    close(pl.remainder(x, y), quiet(np.remainder, n(x), n(y)), 0)
    x, y = data.draw(pairs(FLOATS))
    x, y = pl.clip(x, -1e6, 1e6), pl.clip(y, -1e6, 1e6)
    close(pl.remainder(x, y), quiet(np.remainder, n(x), n(y)), 1)
    close(pl.floor_divide(x, y), quiet(np.floor_divide, n(x), n(y)), 0)


@given(data=st.data())
@QUICK
def test_shifts(data):
    x, y = data.draw(pairs(INTEGERS))
    y = y % (8 * n(x).dtype.itemsize)
    close(pl.bitwise_left_shift(x, y), n(x) << n(y), 0)
    close(pl.bitwise_right_shift(x, y), n(x) >> n(y), 0)


@given(data=st.data())
@QUICK
def test_clip_where_and_operators(data):
    x = data.draw(arrays(NUMBERS))
    low, high = (0, 100) if x.dtype.name == "uint8" else (-3, 5)
    close(pl.clip(x, low, high), np.clip(n(x), low, high), 0)
    close(pl.clip(x, min=low), np.clip(n(x), low, None), 0)
    a, b = data.draw(pairs(ALL))
    mask = pl.asarray(np.ones(a.shape, dtype=bool))
    close(pl.where(mask, a, b), np.where(n(mask), n(a), n(b)), 0)
    if x.dtype.name != "uint8":
        close(-x, -n(x), 0)
    close(x + 1, n(x) + np.asarray(1, n(x).dtype), 0)
    close(2 * x, quiet(lambda: np.asarray(2, n(x).dtype) * n(x)), 0)
    close(x == x, n(x) == n(x), 0)


# ---- Reductions ------------------------------------------------------------------------------------------------------


def some_axes(data, x):
    if x.ndim == 0:
        return None
    return data.draw(st.one_of(st.none(), st.integers(-x.ndim, x.ndim - 1),
                               st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim).map(tuple)))


def sums_close(got, want, magnitudes, dtype):
    """Within the design's bound: (log2 n + 8) units of rounding of the sum of magnitudes."""
    assert got.shape == np.shape(want) and got.dtype.name == dtype
    eps = float(np.finfo(n(got).dtype).eps)
    with np.errstate(all="ignore"):
        bad = ~(np.abs(n(got).astype(np.longdouble) - want) <= magnitudes * eps)
    assert not (bad & np.isfinite(want) & (np.abs(want) < np.finfo(n(got).dtype).max)).any(), (n(got), want)


@pytest.mark.parametrize("name", "sum mean var std prod".split())
@given(data=st.data())
@QUICK
def test_sums(name, data):
    x = data.draw(arrays(FLOATS, min_value=-1000, max_value=1000))
    axis, keepdims = some_axes(data, x), data.draw(st.booleans())
    v = n(x).astype(np.longdouble)
    count = max(x.size, 1)
    options = dict(axis=axis, keepdims=keepdims)
    factor = math.log2(count) + 8
    if name == "prod":
        want = quiet(np.prod, v, **options)
        size = np.abs(want) * count + 1e-30
    elif name in ("sum", "mean"):
        want, size = quiet(getattr(np, name), v, **options), quiet(np.sum, np.abs(v), **options) * factor
    else:
        want = quiet(getattr(np, name), v, **options)
        scale = float(np.max(np.abs(v), initial=0)) ** 2
        size = factor * 4 * (scale if name == "var" else np.maximum(scale / np.maximum(want, 1e-15), scale ** 0.5)) + 1e-30
        if name == "std":  # the root of an error of the variance
            size = np.maximum(size, quiet(np.sqrt, factor * 4 * scale / np.finfo(n(x).dtype).eps))
    sums_close(getattr(pl, name)(x, **options), want, size, x.dtype.name)


@given(data=st.data())
@QUICK
def test_reductions_of_all_types(data):
    x = data.draw(arrays(INTEGERS + ["bool"], SHAPES))
    options = dict(axis=some_axes(data, x), keepdims=data.draw(st.booleans()))
    close(pl.sum(x, **options), np.sum(n(x), dtype=np.int64, **options), 0)
    close(pl.prod(x, **options), quiet(np.prod, n(x), dtype=np.int64, **options), 0)
    close(pl.sum(x, dtype=pl.float64, **options), np.sum(n(x), dtype=np.float64, **options), 1)
    y = data.draw(arrays(ALL))
    options["axis"] = some_axes(data, y)
    close(pl.any(y, **options), np.any(n(y), **options), 0)
    close(pl.all(y, **options), np.all(n(y), **options), 0)
    close(pl.count_nonzero(y, **options), np.asarray(np.count_nonzero(n(y), **options)), 0)


@given(data=st.data())
@QUICK
def test_extremes_and_their_positions(data):
    x = data.draw(arrays(NUMBERS, xps.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)))
    axis, keepdims = some_axes(data, x), data.draw(st.booleans())
    if axis == ():
        axis = None
    for name in ("max", "min"):
        close(getattr(pl, name)(x, axis=axis, keepdims=keepdims), getattr(np, name)(n(x), axis=axis, keepdims=keepdims), 0)
    one = axis[0] if isinstance(axis, tuple) else axis
    for name in ("argmax", "argmin"):
        close(getattr(pl, name)(x, axis=one, keepdims=keepdims), getattr(np, name)(n(x), axis=one, keepdims=keepdims), 0)
    with pytest.raises(ValueError):
        pl.max(pl.zeros((0, 3)), axis=0)


@given(data=st.data())
@QUICK
def test_cumulative_sums_and_differences(data):
    x = data.draw(arrays(["int32", "int64", "float64"], xps.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
                         min_value=-100, max_value=100))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    wanted = "float64" if x.dtype.name == "float64" else "int64"
    for name, reference, start in (("cumulative_sum", np.cumsum, 0), ("cumulative_prod", np.cumprod, 1)):
        want = quiet(reference, n(x).astype(wanted), axis=axis)
        got = getattr(pl, name)(x, axis=axis)
        assert got.dtype.name == wanted
        np.testing.assert_allclose(n(got), want, rtol=1e-13, atol=1e-11)
        more = n(getattr(pl, name)(x, axis=axis, include_initial=True))
        assert more.shape[axis] == x.shape[axis] + 1 and (np.take(more, 0, axis=axis) == start).all()
    close(pl.diff(x, axis=axis), np.diff(n(x), axis=axis), 0)
    close(pl.diff(x, axis=axis, n=2, prepend=x), np.diff(n(x), axis=axis, n=2, prepend=n(x)), 0)


# ---- Order, sets, search ---------------------------------------------------------------------------------------------


@given(data=st.data())
@QUICK
def test_sort_and_argsort(data):
    x = data.draw(arrays(NUMBERS, xps.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    close(pl.sort(x, axis=axis), np.sort(n(x), axis=axis), 0)
    close(pl.argsort(x, axis=axis), np.argsort(n(x), axis=axis, stable=True), 0)
    falling = n(pl.sort(x, axis=axis, descending=True))
    np.testing.assert_array_equal(np.sort(falling, axis=axis), np.sort(n(x), axis=axis))
    order = pl.argsort(x, axis=axis, descending=True)
    np.testing.assert_array_equal(n(pl.take_along_axis(x, order, axis=axis)), falling)


@given(data=st.data())
@QUICK
def test_sets(data):
    x = data.draw(arrays(ALL, SHAPES))
    values, first, inverse, counts = np.unique(n(x), return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    close(pl.unique_values(x), values, 0)
    found = pl.unique_all(x)
    close(found.values, values, 0)
    np.testing.assert_array_equal(n(found.counts), counts)
    np.testing.assert_array_equal(n(found.values)[n(found.inverse_indices)], n(x))
    assert found.inverse_indices.shape == x.shape and found.indices.shape == values.shape
    np.testing.assert_array_equal(n(x).ravel()[n(found.indices)], values)
    np.testing.assert_array_equal(n(pl.unique_counts(x).counts), counts)
    np.testing.assert_array_equal(values[n(pl.unique_inverse(x).inverse_indices)], n(x))


@given(data=st.data())
@QUICK
def test_searching(data):
    sorted_values = pl.sort(data.draw(arrays(["int32", "float32"], xps.array_shapes(max_dims=1, min_side=0), min_value=-9, max_value=9)))
    looked = pl.astype(data.draw(arrays(["int32"], SHAPES, min_value=-10, max_value=10)), sorted_values.dtype)
    for side in ("left", "right"):
        close(pl.searchsorted(sorted_values, looked, side=side), np.searchsorted(n(sorted_values), n(looked), side=side), 0)
    x = data.draw(arrays(ALL, xps.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
    for got, want in zip(pl.nonzero(x), np.nonzero(n(x)), strict=True):
        close(got, want, 0)


# ---- Movement --------------------------------------------------------------------------------------------------------


@given(data=st.data())
@QUICK
def test_movement(data):
    x = data.draw(arrays(ALL))
    v = n(x)
    order = data.draw(st.permutations(range(x.ndim)))
    close(pl.permute_dims(x, tuple(order)), v.transpose(order), 0)
    axis = some_axes(data, x)
    close(pl.flip(x, axis=axis), np.flip(v, axis), 0)
    shift = data.draw(st.integers(-7, 7))
    one = None if axis is None or isinstance(axis, tuple) else axis
    close(pl.roll(x, shift, axis=one), np.roll(v, shift, one), 0)
    if isinstance(axis, tuple) and axis:
        close(pl.roll(x, tuple(range(len(axis))), axis=axis), np.roll(v, tuple(range(len(axis))), axis), 0)
    close(pl.reshape(x, (-1,) if x.size else (0,)), v.reshape(-1), 0)
    close(pl.expand_dims(x, axis=-1), v[..., None], 0)
    close(pl.squeeze(pl.expand_dims(x, axis=0), 0), v, 0)
    close(pl.tile(x, (2, 1, 3)), np.tile(v, (2, 1, 3)), 0)
    close(pl.repeat(x, 2, axis=one), np.repeat(v, 2, one), 0)
    close(pl.broadcast_to(x, (2, *x.shape)), np.broadcast_to(v, (2, *v.shape)), 0)
    close(pl.stack([x, x], axis=-1), np.stack([v, v], -1), 0)
    close(pl.concat([x, x], axis=None), np.concatenate([v, v], None), 0)
    if x.ndim:
        at = data.draw(st.integers(-x.ndim, x.ndim - 1))
        close(pl.concat([x, x], axis=at), np.concatenate([v, v], at), 0)
        for got, want in zip(pl.unstack(x, axis=at), np.moveaxis(v, at, 0), strict=True):
            close(got, want, 0)
        close(pl.moveaxis(x, at, 0), np.moveaxis(v, at, 0), 0)


@given(data=st.data())
@QUICK
def test_taking_and_indexing(data):
    x = data.draw(arrays(ALL, xps.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    at = data.draw(st.lists(st.integers(0, x.shape[axis] - 1), max_size=6))
    close(pl.take(x, pl.asarray(at, dtype=pl.int64), axis=axis), np.take(n(x), np.asarray(at, np.int64), axis), 0)
    key = data.draw(xps.indices(x.shape, allow_newaxis=True))
    close(x[key], n(x)[key], 0)
    mask = n(x) == n(x)
    close(x[pl.asarray(mask)], n(x)[mask], 0)
    order = pl.argsort(x, axis=axis)
    close(pl.take_along_axis(x, order, axis=axis), np.take_along_axis(n(x), n(order), axis), 0)


# ---- Products --------------------------------------------------------------------------------------------------------


@given(data=st.data())
@QUICK
def test_products(data):
    sizes = st.integers(0, 5)
    a, b, c = (data.draw(sizes) for _ in range(3))
    batch = data.draw(xps.mutually_broadcastable_shapes(2, max_dims=2, max_side=3))
    x = data.draw(arrays(["int32", "int64", "float64"], st.just((*batch.input_shapes[0], a, b)), min_value=-50, max_value=50))
    y = pl.astype(data.draw(arrays(["int32"], st.just((*batch.input_shapes[1], b, c)), min_value=-50, max_value=50)), x.dtype)
    np.testing.assert_allclose(n(pl.matmul(x, y)), n(x) @ n(y), rtol=1e-13, atol=1e-10)
    assert (x @ y).dtype == x.dtype and (x @ y).shape == (*batch.result_shape, a, c)
    close(pl.matrix_transpose(x), np.swapaxes(n(x), -1, -2), 0)
    u = data.draw(arrays(["int64", "float64"], st.just((a, b)), min_value=-50, max_value=50))
    np.testing.assert_allclose(n(pl.vecdot(u, u)), (n(u) * n(u)).sum(-1), rtol=1e-13)
    np.testing.assert_allclose(n(pl.vecdot(u, u, axis=0)), (n(u) * n(u)).sum(0), rtol=1e-13)
    np.testing.assert_allclose(n(pl.tensordot(x, y, axes=0)), np.tensordot(n(x), n(y), 0))


# ---- Creation and types ----------------------------------------------------------------------------------------------


@given(data=st.data())
@QUICK
def test_creation(data):
    dtype = data.draw(st.sampled_from(ALL))
    shape = data.draw(SHAPES)
    for name in ("zeros", "ones", "empty"):
        got = getattr(pl, name)(shape, dtype=getattr(pl, dtype))
        assert got.shape == shape and got.dtype.name == dtype
        assert getattr(pl, f"{name}_like")(got).shape == shape
    close(pl.full(shape, 1, dtype=getattr(pl, dtype)), np.full(shape, 1, dtype), 0)
    start, stop, step = data.draw(st.integers(-20, 20)), data.draw(st.integers(-20, 20)), data.draw(st.sampled_from([-3, -1, 1, 2]))
    close(pl.arange(start, stop, step), np.arange(start, stop, step), 0)
    rows, columns, k = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5)), data.draw(st.integers(-6, 6))
    close(pl.eye(rows, columns, k=k, dtype=getattr(pl, dtype)), np.eye(rows, columns, k, dtype), 0)
    x = data.draw(arrays(NUMBERS, xps.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4)))
    close(pl.tril(x, k=k), np.tril(n(x), k), 0)
    close(pl.triu(x, k=k), np.triu(n(x), k), 0)
    count = data.draw(st.integers(0, 9))
    for endpoint in (True, False):
        np.testing.assert_allclose(n(pl.linspace(float(start), float(stop), count, endpoint=endpoint, dtype=pl.float64)),
                                   np.linspace(start, stop, count, endpoint=endpoint), rtol=1e-14, atol=1e-13)
    for indexing in ("xy", "ij"):
        for got, want in zip(pl.meshgrid(pl.arange(2), pl.arange(3), indexing=indexing),
                             np.meshgrid(np.arange(2), np.arange(3), indexing=indexing), strict=True):
            close(got, want, 0)


@given(data=st.data())
@QUICK
def test_types_promote_as_the_standard_says(data):
    a, b = data.draw(st.sampled_from(INTEGERS)), data.draw(st.sampled_from(INTEGERS))
    assert pl.result_type(getattr(pl, a), getattr(pl, b)).name == np.result_type(a, b).name
    f, g = data.draw(st.sampled_from(FLOATS)), data.draw(st.sampled_from(FLOATS))
    assert pl.result_type(getattr(pl, f), getattr(pl, g)).name == np.result_type(f, g).name
    x = data.draw(arrays(NUMBERS, SHAPES))
    other = getattr(pl, data.draw(st.sampled_from(ALL)))
    if other.name == "bool":
        close(pl.astype(x, other), n(x).astype(bool), 0)
    elif pl.can_cast(x.dtype, other):
        close(pl.astype(x, other), n(x).astype(other.name), 0)
    for kind in NUMBERS:
        assert pl.asarray(np.dtype(kind).type(3)).dtype.name == kind
    for left, right in zip(pl.broadcast_arrays(x, pl.zeros((2, *x.shape))), np.broadcast_arrays(n(x), np.zeros((2, *x.shape)))):
        assert left.shape == right.shape
    np.testing.assert_array_equal(n(pl.from_dlpack(n(x).copy())), n(x))
    np.testing.assert_array_equal(np.from_dlpack(x) if x.dtype.name != "bool" else n(x), n(x))
