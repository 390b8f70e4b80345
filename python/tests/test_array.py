"""Arrays as Python sees them: making, operators, indexing, printing, sharing memory."""

import mmap
import pickle

import numpy as np
import pytest

import pellucid as pl


def test_operators_promote_as_the_standard_says():
    x = pl.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert x.dtype == pl.float32 and x.shape == (2, 2)
    np.testing.assert_array_equal((x @ x + 1).numpy(), [[8, 11], [16, 23]])
    assert (x * 2).dtype == "float32" and (2 / x).dtype == np.float32
    assert (pl.arange(3) + 1).dtype == pl.int64
    np.testing.assert_array_equal((np.float32(2) * x).numpy(), 2 * x.numpy())


def test_indexing_is_numpys():
    n = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    x = pl.asarray(n)
    for key in [0, -1, slice(None), (slice(None), 1), (..., 2), (slice(None), slice(None, None, -1)), (None, 1), n > 5,
                np.array([1, 0, 1]), (slice(None), np.array([2, 0]))]:
        p = tuple(pl.asarray(k) if isinstance(k, np.ndarray) else k for k in key) if isinstance(key, tuple) else (
            pl.asarray(key) if isinstance(key, np.ndarray) else key)
        np.testing.assert_array_equal(x[p].numpy(), n[key])
    with pytest.raises(IndexError, match="out of range"):
        x[5]


def test_memory_is_shared_both_ways():
    n = np.frombuffer(mmap.mmap(-1, 8192), dtype=np.float32)[:1000]  # its end lies within a page
    x = pl.asarray(n)
    n[0] = 7
    assert x[0].item() == 7
    view = x.numpy()
    assert not view.flags.writeable and view.ctypes.data == n.ctypes.data
    assert np.from_dlpack(x).ctypes.data == n.ctypes.data
    assert np.asarray(pl.from_dlpack(n)).ctypes.data == n.ctypes.data
    y = pl.asarray(n, copy=True)
    n[0] = 8
    assert y[0].item() == 7


def test_errors_are_python_exceptions_with_the_engines_message():
    with pytest.raises(ValueError, match="784 and 256"):
        pl.zeros((32, 784)) @ pl.zeros((256, 128))
    with pytest.raises(TypeError):
        pl.zeros(3) + "text"
    with pytest.raises(IndexError):
        pl.zeros(3)[3]
    with pytest.raises(MemoryError):
        pl.zeros((1 << 40, 1 << 20)).numpy()
    with pytest.raises(pl.Error):
        pl.concat([pl.zeros((2, 2)), pl.zeros((3, 3))])


def test_repr_pickle_and_numbers():
    x = pl.asarray([1.5, 2.5])
    assert repr(x) == "Array([1.5, 2.5], dtype=float32)"
    assert repr(pl.zeros((0, 3))) == "Array([], shape=(0, 3), dtype=float32)" and repr(pl.zeros(0)) == "Array([], dtype=float32)"
    y = pickle.loads(pickle.dumps(x))
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    assert float(x[0]) == 1.5 and int(pl.asarray(3)) == 3 and bool(pl.asarray(True))
    with pytest.raises(TypeError):
        bool(x)
    assert x.__array_namespace__() is pl


def test_every_public_name_is_explained():
    for name in dir(pl):
        thing = getattr(pl, name)
        if not name.startswith("_") and callable(thing):
            assert thing.__doc__, name
