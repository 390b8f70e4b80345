"""Numeric columns of frames are not copied: a table sees what is written to its source, and keeps its memory."""

import gc

import numpy as np
import pytest

import pellucid as pl


def count_to(n):
    """0, 1, ... n - 1 as float64 that end in the middle of a page: memory near a page's end is copied, not shared."""
    room = np.empty(n + 512)
    start = next(k for k in range(512) if (room.ctypes.data + 8 * (k + n)) % 4096 == 2048)
    x = room[start : start + n]
    x[:] = np.arange(n)
    return x


def seen(table, name, source):
    """Does the table look at the source's memory? The source gets its first value back."""
    before = source[0]
    source[0] = 1234.5
    found = table[name].values.numpy()[0] == 1234.5
    source[0] = before
    return found


def frames():
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    x = count_to(100)
    yield "arrow", x, pa.table({"x": pa.array(x)})
    x = count_to(100)
    yield "pandas", x, pd.DataFrame({"x": x, "t": ["a"] * 100}, copy=False)
    x = count_to(100)
    yield "polars", x, polars.DataFrame({"x": polars.Series(pa.array(x))})


def test_columns_of_frames_are_shared():
    for name, source, frame in frames():
        table = pl.data.Table.from_stream(frame.__arrow_c_stream__())
        assert seen(table, "x", source), name


def test_the_memory_stays_while_a_table_looks_at_it():
    for name, source, frame in frames():
        expected = source.copy()
        table = pl.data.Table.from_stream(frame.__arrow_c_stream__())
        del source, frame
        gc.collect()
        junk = [np.full(100, np.nan) for _ in range(100)]
        np.testing.assert_array_equal(table["x"].values.numpy(), expected, name)
        del junk


def test_null_slots_are_missing_whatever_stands_in_them():
    pa = pytest.importorskip("pyarrow")
    numbers = pa.array([1.0, 2.0, 3.0, 4.0])
    nulls = pa.Array.from_buffers(pa.float64(), 4, [pa.py_buffer(bytes([0b1101])), numbers.buffers()[1]])
    table = pl.data.Table.from_stream(pa.table({"x": nulls}).__arrow_c_stream__())
    np.testing.assert_array_equal(table["x"].values.numpy(), [1, np.nan, 3, 4])
    several = pa.chunked_array([numbers, nulls, numbers.slice(1)])
    table = pl.data.Table.from_stream(pa.table({"x": several}).__arrow_c_stream__())
    np.testing.assert_array_equal(table["x"].values.numpy(), [1, 2, 3, 4, 1, np.nan, 3, 4, 2, 3, 4])
    np.testing.assert_array_equal(numbers.to_numpy(), [1, 2, 3, 4])  # the first piece was shared, and is as it was
    empty = pl.data.Table.from_stream(pa.table({"x": pa.array([], pa.float64())}).__arrow_c_stream__())
    assert len(empty["x"]) == 0


def test_columns_of_dicts_and_matrices_are_shared_where_they_lie_in_a_row():
    x = count_to(600)
    assert seen(pl.data.Table({"x": x}), "x", x)
    matrix = count_to(12).reshape(3, 4).T
    assert seen(pl.data.Table.from_matrix(matrix, ["a", "b", "c"]), "b", matrix[:, 1])
    rows = np.arange(12.0).reshape(4, 3)
    assert not seen(pl.data.Table.from_matrix(rows, ["a", "b", "c"]), "b", rows[:, 1])
    for other in (np.arange(5, dtype=np.float32), np.arange(5, dtype=np.int64)):
        table = pl.data.Table()
        table.add_numbers("x", other)
        np.testing.assert_array_equal(table["x"].values.numpy(), other)


def test_what_is_written_to_is_copied_first():
    x = np.arange(5, dtype=np.float64)
    table = pl.data.Table()
    table.add_numbers("x", x)
    table.repeat_first(2)
    np.testing.assert_array_equal(table["x"].values.numpy(), [0, 1, 2, 3, 4, 0, 0])
    np.testing.assert_array_equal(x, np.arange(5))
    taken = table.take([3, 1])
    np.testing.assert_array_equal(taken["x"].values.numpy(), [3, 1])
    assert len(table["x"]) == 7


def test_training_on_shared_columns_is_training_on_copies():
    rng = np.random.default_rng(0)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    y = (frame["a"] > 0).to_numpy().astype(int)
    shared = pl.Classifier(fast=True, max_epochs=3).fit(frame, y).predict_proba(frame)
    copies = pl.Classifier(fast=True, max_epochs=3).fit(frame.astype("float32").astype("float64"), y)
    assert shared.shape == copies.predict_proba(frame).shape == (200, 2)
    again = pl.Classifier(fast=True, max_epochs=3).fit(frame.iloc[::1].copy(), y).predict_proba(frame)
    np.testing.assert_array_equal(shared, again)
