"""Files: safetensors both ways, models that the shell, C++ and Python share, tables, pictures."""

import json
import pathlib
import pickle
import subprocess

import numpy as np
import pytest
import safetensors.numpy

import pellucid as pl

SHELL = pathlib.Path(__file__).parents[2] / "build/release/pellucid"


class Net(pl.nn.Module):
    def __init__(self):
        self.encoder = [pl.nn.Linear(2, 4), pl.nn.BatchNorm1d(4)]
        self.out = pl.nn.Linear(4, 1)

    def __call__(self, x):
        return self.out(pl.tanh(self.encoder[1](self.encoder[0](x))))


def arrays():
    return {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3), "d": np.array([1.5]), "i": np.arange(3, dtype=np.int32),
        "l": np.array(7), "u": np.zeros((0, 2), np.uint8), "b": np.array([True, False]),
    }


def same(a, b):
    return a.keys() == b.keys() and all(
        np.array_equal(a[k], b[k]) and str(np.asarray(a[k]).dtype) == str(np.asarray(b[k]).dtype) for k in a
    )


def test_safetensors_are_read_by_others_and_theirs_are_read(tmp_path):
    path = tmp_path / "ours.safetensors"
    pl.save(path, arrays(), metadata={"who": "me"})
    assert same(safetensors.numpy.load_file(path), arrays())
    assert pl.io.read_safetensors(path)[1] == {"who": "me"}
    safetensors.numpy.save_file(arrays(), path)
    assert same(pl.load(path), arrays())
    half = pl.asarray([1.0, 2.0], dtype="bfloat16")
    pl.save(path, {"h": half, "number": 3})
    assert pl.load(path)["h"].dtype == pl.bfloat16 and pl.load(path)["h"].tolist() == [1.0, 2.0]


def test_a_module_comes_back_by_its_names(tmp_path):
    path = tmp_path / "net.safetensors"
    net = pl.nn.Sequential(pl.nn.Linear(2, 8), pl.nn.BatchNorm1d(8), pl.nn.ReLU(), pl.nn.Linear(8, 1))
    pl.save(path, net, training={"epochs": 3})
    again = pl.load(path)
    assert repr(again) == repr(net) and same(again.state_dict(), net.state_dict())
    assert sorted(safetensors.numpy.load_file(path)) == sorted(net.state_dict())
    assert json.loads(pl.io.load_model(path).training) == {"epochs": 3}
    own = Net()
    pl.save(path, own)
    assert "encoder.0.weight" in pl.io.load_model(path).parameters
    with pytest.raises(ValueError, match=r"into=module"):
        pl.load(path)
    assert same(pl.load(path, into=Net()).state_dict(), own.state_dict())


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="a.safetensors"):
        pl.load(path)
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="a.safetensors"):
        pl.load(path)
    with pytest.raises(TypeError, match="a list is no module"):
        pl.save(path, [1])
    with pytest.raises(ValueError, match="the module has no 'encoder.0.bias'"):
        pl.save(path, Net())
        pl.load(path, into=pl.nn.Sequential(pl.nn.Linear(2, 4)))
    with pytest.raises(OSError):
        pl.save(tmp_path / "no" / "folder", {"a": pl.ones(1)})


def table(n=200):
    rng = np.random.default_rng(0)
    rooms, town = rng.normal(size=n), rng.integers(0, 3, n)
    return {
        "rooms": rooms, "town": [None if i % 50 == 0 else "abc"[t] for i, t in enumerate(town)],
        "size": pl.data.Column.of_codes(town - 1, ["s", "m"]), "price": 3 * rooms + town,
    }


def test_tables():
    t = pl.data.Table(table())
    assert len(t) == 200 and t.names == ["rooms", "town", "size", "price"] and "town" in t
    assert t["town"].text and t["town"].values[0] is None and t["town"].count_missing() == 4
    assert t["size"].codes.tolist() == [int(c) for c in t["size"].codes] and t["size"].levels == ["s", "m"]
    assert t["rooms"].values.dtype == pl.float64
    assert pl.data.Table({"a": np.array([1, 2]), "b": [True, False], "c": np.array(["x", None], object)})["a"].text is False
    again = pl.io.parse_csv(pl.io.to_csv(t))
    assert again.names == t.names and again["town"].values == t["town"].values
    assert np.array_equal(again["rooms"].values, t["rooms"].values)
    for wrong, kind, message in [
        ({"a": [1], "b": [1, 2]}, ValueError, "column 'b' has 2 rows and 'a' has 1"),
        ({"a": "text"}, TypeError, "column 'a': values for each row"),
        ({"a": np.zeros((2, 2))}, ValueError, "column 'a': one number for each row"),
        (3, TypeError, "incompatible function arguments"),
    ]:
        with pytest.raises(kind, match=message):
            pl.data.Table(wrong)
    with pytest.raises(ValueError, match="code 2 is none of the 2 levels"):
        pl.data.Column.of_codes([2], ["a", "b"])
    with pytest.raises(ValueError, match="rooms"):
        t["room"]


def test_preprocessing_and_splits():
    t = pl.data.Table(table())
    assert pl.data.guess_target(t)[0] == "price" and pl.data.guess_task(t["price"]) == "regression"
    target = pl.data.fit_target(t, "price")
    training, held_out = pl.data.split(len(t), 0.25, seed=1)
    assert len(held_out) == 50 and sorted(training.tolist() + held_out.tolist()) == list(range(200))
    assert len(pl.data.folds(10, 5)) == 5
    p = pl.data.fit_preprocessing(t, target, training)
    x, y = p.encode(t, training), pl.data.encode_target(target, t, training)
    assert x.shape == (150, p.inputs) and y.shape == (150, 1) and len(p.input_names()) == p.inputs
    assert pl.data.Preprocessing.from_json(p.to_json()).to_json() == p.to_json()
    assert p.features[0]["column"] == "rooms" and p.features[1]["levels"] == ["a", "b", "c"]
    _, unseen, _ = p.encode({**table(), "town": ["z"] * 200}, report=True)
    assert unseen == {"town": 200}
    said = pl.data.decode_predictions(target, y)
    np.testing.assert_allclose(said["price"].values, t["price"].values[training], rtol=1e-5)
    embedded = pl.data.fit_preprocessing(t, target, embed_above=2, min_embedded=1)
    assert {f["column"]: f["kind"] for f in embedded.features}["town"] == "embedded"
    with pytest.raises(ValueError, match="scaling is"):
        pl.data.fit_preprocessing(t, target, scaling="no")
    with pytest.raises(ValueError, match="task is"):
        pl.data.fit_target(t, "price", task="guess")


def test_fit_table_and_its_model(tmp_path):
    seen = []
    fit = pl.fit_table(table(), "price", epochs=3, seed=2, hidden=[16], on_epoch=seen.append)
    assert fit.training.epoch == 3 == len(seen) and len(fit.validation["rows"]) == 200  # each row left out by one member
    fast = pl.fit_table(table(), "price", epochs=3, fast=True)
    assert len(fast.validation["rows"]) == 40 and fit.model.intervals(table()).shape == (200, 2)
    model = fit.model
    values = model.predict(table())
    assert values.shape == (200,) and not model.classifies and model.target.name == "price"
    assert np.array_equal(model.predict_table(table())["price"].values, values)
    pl.save(tmp_path / "m.safetensors", model)
    for again in (pl.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model))):
        assert isinstance(again, pl.TableModel) and np.array_equal(again.predict(table()), values)
    inputs = model.preprocessing.encode(table())
    assert np.array_equal(model.output(inputs), pl.predict(model.network, inputs))
    assert pl.update_table_model(model, table(), epochs=2).epoch == 2
    assert not np.array_equal(model.predict(table()), values)
    x = np.random.default_rng(0).normal(size=(100, 3))
    fit = pl.fit_table(x, x[:, 0] > 0, task="classification", epochs=2, class_weights={1: 2.0})
    assert fit.model.predict(x).shape == (100, 2) and fit.model.classifies
    for wrong, kind, message in [
        (dict(epochs="many"), TypeError, "fit_table: 'epochs' is an integer, not 'many'"),
        (dict(task="guess"), ValueError, "task is"),
        (dict(activation="cube"), ValueError, "activation"),
        (dict(class_weights=3), TypeError, "'class_weights' is a dict"),
    ]:
        with pytest.raises(kind, match=message):
            pl.fit_table(x, x[:, 0], **wrong)
    with pytest.raises(TypeError, match="no option 'epoch'"):
        pl.update_table_model(model, table(), epoch=3)


def test_pictures(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (20, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "p.npz", x_train=images, y_train=np.arange(20) % 2, x_test=images[:4], y_test=np.arange(4) % 2)
    pictures = pl.data.read_pictures(tmp_path / "p.npz")
    assert np.array_equal(pictures.training.images, images) and len(pictures.test) == 4
    assert pictures.classes == ["0", "1"] and pictures.test.labels.tolist() == [0, 1, 0, 1]
    p = pl.data.fit_pictures(pictures)
    assert abs(pl.mean(p.encode(images)).item()) < 1e-6 and p.shape == (4, 4)
    np.save(tmp_path / "a.npy", images)
    assert np.array_equal(pl.io.read_npy(tmp_path / "a.npy"), images)
    pl.io.write_npy(tmp_path / "b.npy", images)
    assert np.array_equal(np.load(tmp_path / "b.npy"), images)
    assert list(pl.io.read_npz(tmp_path / "p.npz")) == ["x_test", "x_train", "y_test", "y_train"]


@pytest.mark.skipif(not SHELL.exists(), reason="the program is not built here")
def test_the_shell_and_python_share_models(tmp_path):
    def shell(*arguments):
        return subprocess.run([SHELL, *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    csv, model = tmp_path / "houses.csv", tmp_path / "houses.safetensors"
    pl.io.write_csv(csv, table())
    shell("train", csv, "--target", "price", "--epochs", 2, "--out", model)
    theirs = pl.io.parse_csv(shell("predict", model, csv))["price"].values
    ours = pl.load(model).predict(pl.io.read_csv(csv))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)

    t = pl.data.Table(table())
    target = pl.data.fit_target(t, "price")
    p = pl.data.fit_preprocessing(t, target)
    net = pl.nn.Sequential(pl.nn.Linear(p.inputs, 8), pl.nn.ReLU(), pl.nn.Linear(8, 1))
    pl.fit(net, (p.encode(t), pl.data.encode_target(target, t)), loss="mean_squared_error", max_epochs=5)
    pl.save(model, net, preprocessing=p)
    said = pl.data.decode_predictions(target, pl.predict(net, p.encode(t)))["price"].values
    np.testing.assert_allclose(pl.io.parse_csv(shell("predict", model, csv))["price"].values, said, rtol=1e-6)
