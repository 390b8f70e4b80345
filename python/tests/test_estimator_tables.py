"""Estimators on tables of pandas, polars and Arrow: types of columns, missing values, names, and memory."""

import datetime
import sys

import numpy as np
import pandas as pd
import polars as po
import pyarrow as pa
import pytest

import pellucid as pl
from pellucid import _core
from pellucid.estimators import _inputs

RNG = np.random.default_rng(1)
N = 150
AGE = RNG.integers(18, 80, size=N).astype(float)
CITY = RNG.choice(["Bonn", "Köln", "a rather long name of a town"], size=N)
BOUGHT = np.where((AGE > 45) | (CITY == "Bonn"), "yes", "no")
QUICK = dict(hidden=(32,), max_epochs=80)


def frames():
    age = AGE.copy()
    age[3] = np.nan
    city = CITY.astype(object)
    city[5] = None
    arrow = pa.table({"age": pa.array(age, mask=np.isnan(age)), "city": pa.array(city, type=pa.string())})
    return {
        "pandas": pd.DataFrame({"age": age, "city": city}),
        "pandas, categories": pd.DataFrame({"age": age, "city": pd.Categorical(city)}),
        "polars": po.DataFrame({"age": age, "city": city.tolist()}),
        "polars, categories": po.DataFrame({"age": age, "city": city.tolist()}).with_columns(po.col("city").cast(po.Categorical)),
        "arrow": arrow,
        "arrow, in pieces": pa.concat_tables([arrow[:50], arrow[50:]]),
        "arrow, dictionary": arrow.set_column(1, "city", arrow["city"].dictionary_encode()),
    }


@pytest.mark.parametrize("kind", frames())
def test_every_kind_of_frame_is_the_same_table(kind):
    frame = frames()[kind]
    model = pl.Classifier(**QUICK).fit(frame, BOUGHT)
    assert model.feature_names_in_.tolist() == ["age", "city"] and model.n_features_in_ == 2
    assert model.score(frame, BOUGHT) > 0.85
    reference = pl.Classifier(**QUICK).fit(frames()["pandas"], BOUGHT)
    np.testing.assert_array_equal(model.predict_proba(frame), reference.predict_proba(frames()["arrow"]))


def test_without_pyarrow_pandas_is_read_column_by_column(monkeypatch):
    want = pl.Classifier(**QUICK).fit(frames()["pandas"], BOUGHT).predict_proba(frames()["pandas"])
    monkeypatch.setattr(pd.DataFrame, "__arrow_c_stream__", lambda *a, **k: (_ for _ in ()).throw(ImportError("pyarrow")))
    for kind in ("pandas", "pandas, categories"):
        np.testing.assert_array_equal(pl.Classifier(**QUICK).fit(frames()[kind], BOUGHT).predict_proba(frames()[kind]), want)


def csv_of(frame):
    return _inputs.read_features(frame, "test").values.csv().splitlines()


def test_types_of_columns():
    day = datetime.datetime(1969, 7, 20, 20, 17, 40)
    table = pa.table({
        "i8": pa.array([1, None], pa.int8()), "u8": pa.array([1, 2], pa.uint8()), "i16": pa.array([-1, 2], pa.int16()),
        "u16": pa.array([1, 2], pa.uint16()), "i32": pa.array([1, 2], pa.int32()), "u32": pa.array([1, 2], pa.uint32()),
        "u64": pa.array([1, 2], pa.uint64()), "f16": pa.array(np.float16([0.5, -2.0])), "f32": pa.array(np.float32([1.5, 2])),
        "tiny": pa.array(np.array([1, 0x7C00 - 1], np.uint16).view(np.float16)), "null": pa.nulls(2),
        "bool": pa.array([True, None]), "large": pa.array(["a", None], pa.large_string()),
        "view": pa.array(["short", "longer than twelve bytes"], pa.string_view()),
        "date": pa.array([day.date(), None]), "ms": pa.array([day, None], pa.timestamp("ms")),
        "s": pa.array([day, None], pa.timestamp("s")), "us": pa.array([day, None], pa.timestamp("us")),
        "ns": pa.array([day, None], pa.timestamp("ns", tz="UTC")), "date64": pa.array([day.date(), None], pa.date64()),
        "numbered": pa.array([7, 8]).dictionary_encode(),
    })
    header, first, second = csv_of(table)
    assert header == ",".join(table.column_names)
    at, d = "1969-07-20T20:17:40", "1969-07-20"
    assert first == f"1,1,-1,1,1,1,1,0.5,1.5,5.960464477539063e-08,,true,a,short,{d},{at},{at},{at},{at},{d}T00:00:00,7"
    assert second == ",2,2,2,2,2,2,-2,2,65504,,,,longer than twelve bytes,,,,,,,8"
    pandas = pd.DataFrame({"d": pd.to_datetime(["2020-02-29", None]), "b": [True, False], "o": [1, None]})
    assert csv_of(pandas)[1] == "2020-02-29T00:00:00,true,1"
    assert csv_of(table.slice(1))[1] == second


def test_columns_are_found_by_name_and_rows_by_position():
    frame = frames()["pandas"]
    shuffled = frame.sample(frac=1, random_state=0)
    model = pl.Classifier(**QUICK).fit(shuffled, BOUGHT[shuffled.index])
    turned = shuffled[["city", "age"]].assign(more=1)
    np.testing.assert_array_equal(model.predict(turned), model.predict(shuffled))
    with pytest.raises(ValueError, match="X lacks columns that Classifier was fitted with: 'city'; give each by its name"):
        model.predict(frame[["age"]])


def test_names_that_are_numbers_are_positions():
    frame = pd.DataFrame(np.stack([AGE, -AGE], axis=1))
    model = pl.Regressor(**QUICK).fit(frame, AGE)
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.predict(frame.to_numpy()), model.predict(frame))
    np.testing.assert_array_equal(model.predict(pd.DataFrame({"a": AGE, "b": -AGE})), model.predict(frame))
    with pytest.raises(TypeError, match="Feature names are only supported if all input features have string names"):
        model.fit(pd.DataFrame({"a": AGE, 3: AGE}), AGE)


def test_columns_that_arrow_does_not_take():
    mixed = pd.DataFrame({"m": [1, "a", None], "n": pd.array([1, None, 3], dtype="Int64"), "b": [True, False, True]})
    assert csv_of(mixed) == ["m,n,b", "1,1,true", "a,,false", ",3,true"]
    with pytest.raises(TypeError, match="X, column m, row 0: argument must be a string or a real number, not 'dict'"):
        csv_of(pd.DataFrame({"m": [{"a": 1}, 2]}))


def test_objects_of_numbers_and_texts():
    mixed = np.array([[18.0, "Bonn"], [None, "Köln"], [30, None], [40, "Bonn"]] * 10, dtype=object)
    assert _inputs.read_features(mixed, "test").is_table
    pl.Classifier(**QUICK).fit(mixed, ["a", "b", "a", "b"] * 10)
    assert not _inputs.read_features(mixed[:, :1], "test").is_table


def test_a_network_of_your_own_takes_encoded_columns():
    frame = frames()["polars"]
    model = pl.Classifier(network=lambda inputs, outputs: pl.nn.Sequential(
        pl.nn.Linear(inputs, 32), pl.nn.ReLU(), pl.nn.Linear(32, outputs)), max_epochs=80).fit(frame, BOUGHT)
    assert model.score(frame, BOUGHT) > 0.85


def test_partial_fit_takes_pieces_of_a_frame():
    frame, model = frames()["polars"], pl.Classifier(hidden=(32,))
    yes = np.flatnonzero(BOUGHT == "yes")
    model.partial_fit(frame[yes.tolist()], BOUGHT[yes], classes=["no", "yes"])
    for _ in range(60):
        model.partial_fit(frame, BOUGHT)
    assert model.score(frame, BOUGHT) > 0.7


def test_what_is_wrong_with_a_table_is_said():
    with pytest.raises(TypeError, match="column 'l' is of Arrow's type '\\+l'; give numbers, texts"):
        csv_of(pa.table({"l": [[1], [2]]}))
    with pytest.raises(ValueError, match="two columns are named 'a'; rename one"):
        csv_of(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(ValueError, match="two columns are named 'a'; rename one"):
        csv_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(ValueError, match="contains infinity: column 'a', row 1"):
        csv_of(pa.table({"a": [1, np.inf]}))
    with pytest.raises(TypeError, match="gave no stream of Arrow's that is still to be read"):
        _core.data.Table.from_stream(3)
    capsule = pa.table({"a": [1]}).__arrow_c_stream__()
    _core.data.Table.from_stream(capsule)
    with pytest.raises(TypeError, match="a table is expected, not a single column"):
        _core.data.Table.from_stream(pa.chunked_array([[1, 2]]).__arrow_c_stream__())

    def broken():
        yield pa.record_batch({"a": [1]})
        raise RuntimeError("the line was cut")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), broken())
    with pytest.raises(ValueError, match="Arrow stream: .*the line was cut"):
        _core.data.Table.from_stream(reader.__arrow_c_stream__())
    table = _core.data.Table()
    table.add_numbers("a", np.zeros(2))
    with pytest.raises(ValueError, match="column 'b' has 3 values, and the table 2 rows"):
        table.add_numbers("b", np.zeros(3))
    with pytest.raises(ValueError, match="values of 2 axes are given where 1 are wanted"):
        table.add_numbers("b", np.zeros((2, 2)))
    with pytest.raises(TypeError, match="cannot be of the buffer format 'Z'"):
        table.add_numbers("b", np.zeros(2, dtype=complex))
    with pytest.raises(ValueError, match="a table's code is beyond its levels"):
        table.add_text("b", np.array([0, 1], dtype=np.int32), ["a"])


def test_no_package_is_imported_that_was_not_there():
    import subprocess

    code = ("import numpy as np, sys, pellucid as pl; before = set(sys.modules);"
            "pl.Classifier(hidden=(4,), max_epochs=2).fit(np.random.rand(40, 2), np.arange(40) % 2).predict([[0, 1]]);"
            "print([m for m in ('sklearn', 'pandas', 'scipy', 'pyarrow', 'IPython') if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
