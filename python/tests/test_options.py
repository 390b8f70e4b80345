"""Initial values, augmentations, schemas and checkpoints under the names that C++ has."""

import json

import numpy as np
import pytest

import pellucid as pl


def constant(value):
    return pl.init.constant(value)


@pytest.mark.parametrize("make", [
    lambda **k: pl.nn.Linear(3, 4, **k), lambda **k: pl.nn.Conv2d(2, 4, (3, 3), **k),
    lambda **k: pl.nn.ConvTranspose1d(2, 4, 3, **k), lambda **k: pl.nn.LSTM(3, 4, layers=2, bidirectional=True, **k),
    lambda **k: pl.nn.GRU(3, 4, **k), lambda **k: pl.nn.RNN(3, 4, **k)])
def test_initialisers_of_layers(make):
    layer = make(weight_initializer=constant(2.0), bias_initializer=constant(3.0))
    plain = make()
    for again in (False, True):
        if again:
            layer.initialize(pl.random.key(7))
        for name, value in layer.named_parameters().items():
            assert value.shape == plain.named_parameters()[name].shape
            np.testing.assert_array_equal(value.numpy(), 3.0 if value.ndim == 1 else 2.0, name)


def test_an_initialiser_draws_by_the_key():
    layer = pl.nn.Linear(30, 40, weight_initializer=pl.init.he_normal()).initialize(pl.random.key(1))
    same = pl.nn.Linear(30, 40, weight_initializer=pl.init.he_normal()).initialize(pl.random.key(1))
    np.testing.assert_array_equal(layer.weight.numpy(), same.weight.numpy())
    assert abs(layer.weight.numpy().std() - np.sqrt(2 / 30)) < 0.02
    own = pl.nn.Linear(3, 2, weight_initializer=lambda key, shape, dtype: pl.ones(shape, dtype=dtype) * 5)
    np.testing.assert_array_equal(own.weight.numpy(), 5.0)
    frozen = pl.nn.Embedding(5, 3, frozen=True, weight_initializer=constant(1.0))
    assert frozen.trainable_parameters() == {} and (frozen.weight.numpy() == 1).all()


def test_padding_stays_zero_and_last_projections_have_their_own():
    table = pl.nn.Embedding(5, 3, padding_index=2, weight_initializer=constant(1.0)).initialize(pl.random.key(0))
    np.testing.assert_array_equal(table.weight.numpy().sum(axis=1), [3, 3, 0, 3, 3])
    layer = pl.nn.TransformerEncoder(2, 8, 2, weight_initializer=constant(1.0), output_weight_initializer=constant(0.5))
    for name, value in layer.named_parameters().items():
        if value.ndim > 1:
            last = name.endswith(("output.weight", "contract.weight"))
            np.testing.assert_array_equal(value.numpy(), 0.5 if last else 1.0, name)


def test_what_is_no_initialiser_is_refused():
    with pytest.raises(TypeError, match=r"Linear: weight_initializer: an initializer is one of pl.init, or a function"):
        pl.nn.Linear(2, 3, weight_initializer="he")
    with pytest.raises(ValueError, match=r"Linear: bias_initializer: the function gave values of shape \[2\]"):
        pl.nn.Linear(2, 3, bias_initializer=lambda key, shape, dtype: pl.ones(2)).bias.numpy()


PICTURES = pl.random.uniform(pl.random.key(3), (4, 8, 6, 3))


def test_augmentations_are_those_of_cpp():
    key, x = pl.random.key(0), PICTURES
    assert pl.augment.random_crop(key, x, 5, 4, padding=1).shape == (4, 5, 4, 3)
    for f, settings in ((pl.augment.random_shift, (2,)), (pl.augment.random_flip, ()), (pl.augment.random_rotate, (30.0,)),
                        (pl.augment.random_brightness, (0.2,)), (pl.augment.random_contrast, (0.2,)),
                        (pl.augment.random_saturation, (0.2,)), (pl.augment.cutout, (3,))):
        once, again, other = f(key, x, *settings), f(key, x, *settings), f(pl.random.key(1), x, *settings)
        assert once.shape == x.shape and np.array_equal(once.numpy(), again.numpy()), f
        assert not np.array_equal(once.numpy(), other.numpy()), f
        np.testing.assert_array_equal(pl.compile(lambda k, v: f(k, v, *settings))(key, x).numpy(), once.numpy())
    np.testing.assert_array_equal(pl.augment.random_flip(key, x, 1.0).numpy(), x.numpy()[:, :, ::-1])
    np.testing.assert_array_equal(pl.augment.random_flip(key, x, 1.0, vertical=True).numpy(), x.numpy()[:, ::-1])
    mixed, targets = pl.augment.mixup(key, x, pl.asarray([0, 1, 2, 0]), 0.4, 3)
    assert mixed.shape == x.shape and targets.shape == (4, 3)
    np.testing.assert_allclose(targets.numpy().sum(axis=1), 1, rtol=1e-6)
    shares = pl.augment.beta(key, 1000, 2.0).numpy()
    assert shares.min() > 0 and shares.max() < 1 and abs(shares.mean() - 0.5) < 0.05
    with pytest.raises(ValueError, match="random_flip"):
        pl.augment.random_flip(key, x, 2.0)
    with pytest.raises(ValueError, match="random_shift"):
        pl.augment.random_shift(key, pl.ones((3, 4)), 1)


def table(rows=120):
    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    return {"size": size, "street": [f"s{i % 12}" for i in range(rows)], "year": np.arange(rows, dtype=float) // 10,
            "count": np.ones(rows) + (np.arange(rows) % 2), "price": 3 * size + 0.1 * rng.normal(size=rows)}


FEW = dict(fast=True, epochs=2)


def test_rows_of_a_group_stay_together_and_the_newest_are_held_out():
    t = table()
    groups = np.array(t["street"])
    held = pl.fit_table(t, "price", group="street", **FEW).validation["rows"].numpy()
    outside = np.setdiff1d(np.arange(120), held)
    assert len(held) and not set(groups[held]) & set(groups[outside])
    held = pl.fit_table(t, "price", time_column="year", **FEW).validation["rows"].numpy()
    assert len(held) and t["year"][held].min() >= np.delete(t["year"], held).max()


def test_weights_test_rows_scaling_and_schemas():
    t = table()
    by_column = pl.fit_table(t, "price", weight="count", **FEW).model
    by_numbers = pl.fit_table(t, "price", ignore=["count"], sample_weights=t["count"], **FEW).model
    np.testing.assert_array_equal(by_column.predict(t).numpy(), by_numbers.predict(t).numpy())
    fit = pl.fit_table(t, "price", test_rows=[5, 7, 11], **FEW)
    np.testing.assert_array_equal(fit.test["rows"].numpy(), [5, 7, 11])
    plain, standard = (pl.fit_table(t, "price", scaling=s, **FEW).model.predict(t).numpy() for s in ("robust", "standard"))
    assert not np.array_equal(plain, standard)

    above = {**t, "price": np.exp(t["price"])}
    model = pl.fit_table(above, "price", log_target=True, epochs=2).model
    assert model.target.log_scale > 0 and model.intervals(above).numpy().min() > 0
    with pytest.raises(ValueError, match="is -.* in row .*, which has no logarithm; train without log_target"):
        pl.fit_table(t, "price", log_target=True, **FEW)

    schema = pl.data.find_schema(t, "price")
    by_name = {c["name"]: c for c in schema["column"]}
    assert by_name["price"]["role"] == "target" and by_name["street"]["type"] == "category"
    by_name["street"]["role"] = "group"
    by_name["year"]["role"] = "ignore"
    for given in (schema, json.dumps(schema)):
        fit = pl.fit_table(t, "price", schema=given, **FEW)
        assert {f["column"] for f in fit.model.preprocessing.features} == {"size", "count"}
    assert pl.data.find_breach(schema, t) is None
    by_name["size"].update(range=[-0.1, 0.1], out_of_range="refuse")
    row, column, what = pl.data.find_breach(schema, t)
    assert column == "size" and "0.1" in what and abs(t["size"][row]) > 0.1


def test_options_of_tables_that_do_not_fit():
    t = table()
    with pytest.raises(ValueError, match="scaling is 'robust', 'standard', 'quantile', 'none' or 'unclipped', not 'log'"):
        pl.fit_table(t, "price", scaling="log", **FEW)
    with pytest.raises(ValueError, match="test_rows: there is no row 120"):
        pl.fit_table(t, "price", test_rows=[120], **FEW)
    with pytest.raises(ValueError, match="group: rows are held out by groups"):
        pl.fit_table(t, "price", group="street", time_column="year", **FEW)
    with pytest.raises(ValueError, match="price"):
        pl.fit_table(t, "price", weight="price", **FEW)
    with pytest.raises(ValueError):
        pl.fit_table(t, "price", schema={"column": [{"name": "size", "typ": "number"}]}, **FEW)


def test_rounds_of_tune_are_told():
    told = []
    pl.fit_table(table(), "price", tune=2, epochs=2, on_tune=told.append)
    assert told and all(isinstance(line, str) for line in told)


def test_a_checkpoint_that_is_kept_gives_the_result_at_once(tmp_path):
    path = tmp_path / "state"
    x = pl.random.normal(pl.random.key(0), (64, 3))
    y = pl.sum(x, axis=1, keepdims=True)

    def fit(**options):
        net = pl.nn.Linear(3, 1).initialize(pl.random.key(1))
        return net, pl.fit(net, (x, y), loss="mean_squared_error", max_epochs=20, batch_size=16, **options)

    first, result = fit(checkpoint=pl.Checkpoint(path, keep=True))
    assert path.exists() and pl.Checkpoint(path, keep=True).keep
    said = []
    second, again = fit(checkpoint=pl.Checkpoint(path, keep=True), on_epoch=said.append)
    assert not said and again.epoch == result.epoch == 20
    np.testing.assert_array_equal(first.weight.numpy(), second.weight.numpy())


def test_a_damaged_checkpoint_is_told_of(tmp_path):
    path = tmp_path / "state"
    x = pl.random.normal(pl.random.key(0), (64, 3))
    y = pl.sum(x, axis=1, keepdims=True)
    said = []

    def fit(**options):
        net = pl.nn.Linear(3, 1).initialize(pl.random.key(1))
        return pl.fit(net, (x, y), loss="mean_squared_error", max_epochs=6, batch_size=16,
                      checkpoint=pl.Checkpoint(path, seconds=0, warn=said.append), **options)

    fit(on_epoch=lambda epoch: epoch.epoch < 4)
    bytes_of = bytearray(path.read_bytes())
    bytes_of[-3] ^= 255
    path.write_bytes(bytes_of)
    fit()
    assert len(said) == 1 and str(path) in said[0]
    with pytest.raises(TypeError, match="Checkpoint: 'warn' is a function of a text"):
        pl.Checkpoint(path, warn="loudly")
