"""Parquet and Arrow files as pyarrow writes them, and the tables they hold: writes arrow.json.

Run with any Python that has pyarrow: python tests/reference/make_arrow.py
"""

import datetime
import decimal
import json
import pathlib
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
UTC = datetime.timezone.utc


def columns():
    """Arrays, and their fields as text, "" where missing."""
    return {
        "byte": (pa.array([1, None, -3], pa.int8()), ["1", "", "-3"]),
        "count": (pa.array([7, 2**40, None], pa.int64()), ["7", "1099511627776", ""]),
        "unsigned": (pa.array([0, 65535, None], pa.uint16()), ["0", "65535", ""]),
        "ratio": (pa.array([0.5, float("nan"), -1e300], pa.float64()), ["0.5", "", "-1e+300"]),
        "single": (pa.array([0.25, None, 3], pa.float32()), ["0.25", "", "3"]),
        "flag": (pa.array([True, None, False]), ["1", "", "0"]),
        "price": (pa.array([decimal.Decimal("12.50"), None, decimal.Decimal("-0.01")], pa.decimal128(8, 2)),
                  ["12.5", "", "-0.01"]),
        "word": (pa.array(["ä, b", None, ""]), ["ä, b", "", ""]),
        "large": (pa.array(["x", "y", "x"], pa.large_string()), ["x", "y", "x"]),
        "kind": (pa.array(["red", "blue", None]).dictionary_encode(), ["red", "blue", ""]),
        "coded": (pa.array([10.5, None, 10.5]).dictionary_encode(), ["10.5", "", "10.5"]),
        "day": (pa.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)]),
                ["2024-02-29", "", "1969-12-31"]),
        "moment": (pa.array([datetime.datetime(2024, 2, 29, 13, 5, 7, 250000), None, datetime.datetime(1969, 12, 31, 23)],
                            pa.timestamp("us")), ["2024-02-29T13:05:07.25", "", "1969-12-31T23:00:00"]),
        "zoned": (pa.array([datetime.datetime(2024, 1, 1, tzinfo=UTC), None, None], pa.timestamp("ms", "UTC")),
                  ["2024-01-01", "", ""]),
        "clock": (pa.array([datetime.time(13, 30), None, datetime.time(0, 0, 9)], pa.time32("s")),
                  ["13:30:00", "", "00:00:09"]),
        "nothing": (pa.nulls(3), ["", "", ""]),
    }


def written(name, write):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        write(str(path))
        return path.read_bytes().hex()


def stream(table, path):
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def feather(table, path):
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


every = columns()
table = pa.table({name: array for name, (array, _) in every.items()})
listed = pa.table({"a": [1, 2], "parts": [[1], [2, 3]]})
twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
files = {
    "plain.parquet": written("x", lambda path: pq.write_table(table, path)),
    "zstd.parquet": written("x", lambda path: pq.write_table(table, path, compression="zstd", row_group_size=2)),
    "file.arrow": written("x", lambda path: feather(table, path)),
    "stream.arrows": written("x", lambda path: stream(table, path)),
}
(HERE / "arrow.json").write_text(json.dumps({
    "files": files,
    "listed": written("x", lambda path: pq.write_table(listed, path)),
    "twice": written("x", lambda path: feather(twice, path)),
    "columns": {name: fields for name, (_, fields) in every.items()},
    "text": [name for name, (array, _) in every.items() if not array.type.equals(pa.bool_())
             and str(array.type).split("<")[0].split("[")[0] in
             ("string", "large_string", "date32", "timestamp", "time32") or name == "kind"],
}, indent=None, separators=(",", ":")).replace(',"', ',\n"') + "\n")
