"""Classifier and Regressor: scikit-learn's own checks, and what they do beyond them."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import pellucid as pl

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
VALUES = 3 * X[:, 0] - X[:, 2] + 10
QUICK = dict(hidden=(32,), max_epochs=60)


@pytest.mark.parametrize("estimator, checks", [(pl.Classifier(), 67), (pl.Regressor(), 60)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_all_pass(estimator, checks):
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert [(r["check_name"], r["status"], r["exception"]) for r in results if r["status"] != "passed"] == []
    assert len(results) >= checks


def test_a_classifier_learns_names():
    model = pl.Classifier(**QUICK).fit(X, LABELS)
    assert model.classes_.tolist() == ["no", "yes"] and model.score(X, LABELS) > 0.9
    p = model.predict_proba(X)
    assert p.dtype == np.float64 and p.shape == (120, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert model.decision_function(X).shape == (120,)
    assert model.n_iter_ == 60 and model.loss_ == model.result_.loss and len(model.result_.history) == 60


def test_classes_stand_in_their_order():
    y = np.array([10, 9, 100])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = pl.Classifier(**QUICK).fit(X, y)
    assert model.classes_.tolist() == [9, 10, 100] and model.score(X, y) > 0.8
    flags = pl.Classifier(**QUICK).fit(X, X[:, 0] > 0)
    assert flags.classes_.tolist() == [False, True] and flags.predict(X).dtype == bool


def test_a_regressor_learns_values():
    model = pl.Regressor(**QUICK).fit(X, VALUES)
    assert model.score(X, VALUES) > 0.9 and model.predict(X).shape == (120,)
    assert model.score(X, VALUES, sample_weight=np.ones(120)) == pytest.approx(model.score(X, VALUES))


def test_intervals_hold_most_values():
    noisy = VALUES + RNG.normal(size=120)
    model = pl.Regressor(max_epochs=30).fit(X, noisy)
    low, high = model.predict_interval(X).T
    assert (low <= high).all() and np.mean((low <= noisy) & (noisy <= high)) > 0.8
    with pytest.raises(ValueError, match="fast|intervals"):
        pl.Regressor(fast=True, max_epochs=5).fit(X, noisy).predict_interval(X)
    with pytest.raises(ValueError, match="predict_interval: only models of the recipe for tables"):
        pl.Regressor(**QUICK).fit(X, np.stack([VALUES, VALUES], 1)).predict_interval(X)


def test_several_targets_and_labels():
    both = np.stack([VALUES, -VALUES], axis=1)
    model = pl.Regressor(**QUICK).fit(X, both)
    assert model.predict(X).shape == (120, 2) and model.score(X, both) > 0.8
    marks = (X[:, :3] > 0).astype(int)
    labels = pl.Classifier(**QUICK).fit(X, marks)
    assert labels.predict(X).shape == (120, 3) and labels.score(X, marks) > 0.4
    assert labels.decision_function(X).shape == labels.predict_proba(X).shape == (120, 3)


def test_the_same_seed_gives_the_same_model_whatever_the_threads():
    before = pl.threads()
    first = pl.Classifier(**QUICK, random_state=3).fit(X, LABELS).predict_proba(X)
    try:
        pl.set_threads(1)
        again = pl.Classifier(**QUICK, random_state=3).fit(X, LABELS).predict_proba(X)
    finally:
        pl.set_threads(before)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, pl.Classifier(**QUICK, random_state=4).fit(X, LABELS).predict_proba(X))
    a, b = (pl.Classifier(**QUICK, random_state=make(5)).fit(X, LABELS) for make in
            (np.random.RandomState, np.random.default_rng))
    assert a.score(X, LABELS) > 0.8 and b.score(X, LABELS) > 0.8
    pl.Classifier(**QUICK, random_state=None).fit(X, LABELS)
    with pytest.raises(ValueError, match="random_state: -1; give a whole number from 0"):
        pl.Classifier(random_state=-1).fit(X, LABELS)


def test_weights_count_as_repetitions_do():
    times = RNG.integers(0, 3, size=len(X))
    weighted = pl.Classifier(**QUICK).fit(X, LABELS, sample_weight=times)
    repeated = pl.Classifier(**QUICK).fit(X.repeat(times, axis=0), LABELS.repeat(times))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_class_weights_shift_what_is_predicted():
    noisy = np.where(X[:, 0] + 2 * RNG.normal(size=120) > 0, "yes", "no")
    share = [np.mean(pl.Classifier(**QUICK, class_weight=w).fit(X, noisy).predict(X) == "yes")
             for w in ({"no": 20}, None, {"yes": 20})]
    assert share[0] < share[1] < share[2]
    rare = np.where(X[:, 0] > 1.2, "yes", "no")
    assert pl.Classifier(**QUICK, class_weight="balanced").fit(X, rare).score(X, rare) > 0.8
    with pytest.raises(ValueError, match="class_weight: 'maybe' is no class of y"):
        pl.Classifier(class_weight={"maybe": 1}).fit(X, LABELS)
    with pytest.raises(ValueError, match="class_weight: 'even'; give 'balanced'"):
        pl.Classifier(class_weight="even").fit(X, LABELS)


def test_patience_stops_early():
    model = pl.Classifier(hidden=(16,), max_epochs=300, patience=3, learning_rate=0.02).fit(X, LABELS)
    assert model.result_.reason == "no improvement" and model.n_iter_ < 300


def test_warm_start_goes_on():
    model = pl.Regressor(hidden=(16,), max_epochs=3, warm_start=True).fit(X, VALUES)
    scores = [model.score(X, VALUES)]
    for _ in range(3):
        scores.append(model.set_params(max_epochs=10).fit(X, VALUES).score(X, VALUES))
    assert scores[-1] > scores[0]
    cold = pl.Regressor(hidden=(16,), max_epochs=10).fit(X, VALUES)
    assert cold.score(X, VALUES) < scores[-1]


def test_partial_fit_learns_from_pieces():
    model = pl.Classifier(hidden=(16,))
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, LABELS)
    only_yes = LABELS == "yes"
    model.partial_fit(X[only_yes], LABELS[only_yes], classes=["no", "yes"])
    for _ in range(40):
        for part in np.array_split(np.arange(len(X)), 3):
            model.partial_fit(X[part], LABELS[part])
    assert model.score(X, LABELS) > 0.85
    with pytest.raises(ValueError, match="y holds 'perhaps', which is no class of this model"):
        model.partial_fit(X[:2], ["yes", "perhaps"])
    numbers = pl.Regressor(hidden=(16,))
    for _ in range(60):
        numbers.partial_fit(X, VALUES)
    assert numbers.score(X, VALUES) > 0.5


def first_moments(model):
    """How far the optimiser has counted, and what it keeps."""
    kept = model._training.moments
    state = kept[0] if isinstance(kept, list) else kept
    return int(state["step"]), {name: np.array(value) for name, value in state.items() if "moment" in name}


@pytest.mark.parametrize("options", [
    {"hidden": (16,)}, {"hidden": (16,), "fast": True}, {"hidden": (16,), "optimizer": pl.optim.Adam(1e-3)}])
def test_moments_go_on_and_are_pickled(options):
    model = pl.Classifier(**options, batch_size=40)
    for i in range(3):
        model.partial_fit(X, LABELS, classes=["no", "yes"])
        steps, moments = first_moments(model)
        assert steps == 3 * (i + 1) and any(m.any() for m in moments.values())
    again = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, LABELS), again.partial_fit(X, LABELS)
    assert first_moments(again)[0] == first_moments(model)[0] == 12
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    fresh = pickle.loads(pickle.dumps(model))
    fresh._training.moments = None
    assert (fresh.partial_fit(X, LABELS).predict_proba(X) != model.partial_fit(X, LABELS).predict_proba(X)).any()

    warm = pl.Classifier(**options, batch_size=40, max_epochs=2, validation=0, warm_start=True).fit(X, LABELS)
    assert first_moments(warm)[0] == 6 and first_moments(warm.fit(X, LABELS))[0] == 12
    warm.set_params(optimizer="sgd").fit(X, LABELS)  # another rule begins anew
    assert np.isfinite(warm.predict_proba(X)).all()
    assert not pl.Classifier(**options, max_epochs=1).fit(X, LABELS)._training.moments


def test_copies_clones_and_pickles_predict_alike():
    for model, y in ((pl.Classifier(**QUICK), LABELS), (pl.Regressor(**QUICK), VALUES),
                     (pl.Regressor(**QUICK), np.stack([VALUES, VALUES], axis=1))):
        model.fit(X, y)
        for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            np.testing.assert_array_equal(other.predict(X), model.predict(X))
            assert other.result_.epoch == model.result_.epoch
            assert repr(other) == repr(model)
        fresh = clone(model)
        assert fresh.get_params() == model.get_params() and not fresh.__sklearn_is_fitted__()


def test_pipelines_and_searches_take_them():
    pipe = make_pipeline(StandardScaler(), pl.Classifier(**QUICK))
    assert cross_val_score(pipe, X, LABELS, cv=3).mean() > 0.8
    search = GridSearchCV(pl.Classifier(max_epochs=5), {"hidden": [(4,), (16,)]}, cv=2).fit(X, LABELS)
    assert search.best_params_["hidden"] in [(4,), (16,)]


def test_any_network():
    net = pl.nn.Sequential(pl.nn.Linear(4, 8), pl.nn.Tanh(), pl.nn.Linear(8, 2))
    before = net.state_dict()["0.weight"].numpy()
    model = pl.Classifier(network=net, max_epochs=30, optimizer=pl.optim.Adam(1e-2)).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.85
    np.testing.assert_array_equal(net.state_dict()["0.weight"].numpy(), before)

    class Own(pl.nn.Module):
        def __init__(self, inputs, outputs):
            self.hidden, self.out = pl.nn.Linear(inputs, 8), pl.nn.Linear(8, outputs)

        def __call__(self, x):
            return self.out(pl.nn.relu(self.hidden(x)))

    own = pl.Regressor(network=Own, max_epochs=60, loss=pl.loss.Huber(delta=1.0), learning_rate=0.01).fit(X, VALUES)
    assert own.score(X, VALUES) > 0.8
    with pytest.raises(TypeError, match="network: a module, or a function"):
        pl.Classifier(network=3).fit(X, LABELS)
    with pytest.raises(TypeError, match="the function made a int, which is no module"):
        pl.Classifier(network=lambda i, o: 3).fit(X, LABELS)
    with pytest.raises(ValueError, match="a network of your own takes the numbers as they are"):
        pl.Classifier(network=net).fit(np.where(X > 2, np.nan, X), LABELS)
    with pytest.raises(ValueError, match="activation: there is no layer 'bend'"):
        pl.Classifier(activation="bend", optimizer=pl.optim.Adam()).fit(X, LABELS)


def test_pictures_are_rows_with_several_axes():
    pictures = RNG.integers(0, 50, size=(200, 6, 6), dtype=np.uint8)
    label = RNG.integers(0, 2, size=200)
    pictures[label == 1, :3] += 150
    model = pl.Classifier(hidden=(16,), max_epochs=5).fit(pictures, label)
    assert model.score(pictures, label) > 0.95
    conv = pl.Classifier(network=lambda shape, classes: pl.nn.Sequential(pl.nn.Conv2d(1, 4, 3), pl.nn.ReLU(),
                                                                         pl.nn.GlobalAvgPool(), pl.nn.Linear(4, classes)),
                         max_epochs=5).fit(pictures[..., None], label)
    assert conv.predict(pictures[..., None]).shape == (200,)


def test_missing_values_are_taken_as_such():
    holed = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    assert pl.Classifier(**QUICK).fit(holed, LABELS).score(holed, LABELS) > 0.7
    assert pl.Regressor(**QUICK).fit(holed, np.stack([VALUES, VALUES], 1)).predict(holed).shape == (120, 2)


def test_the_bar_and_the_html(capfd):
    model = pl.Classifier(hidden=(4,), max_epochs=3, verbose=True)
    assert "not fitted" in model._repr_html_()
    model.fit(X, LABELS)
    assert "maximum of epochs" in capfd.readouterr().err
    page = model._repr_html_()
    assert "<svg" in page and "parameters" in page and "hidden" in page and "maximum of epochs" in page
    assert "all parameters" in pl.Regressor()._repr_html_()
    assert repr(model) == "Classifier(hidden=(4,), max_epochs=3, verbose=True)"


def test_model_files_open_again(tmp_path):
    path = tmp_path / "model.safetensors"
    model = pl.Classifier(**QUICK).fit(X, LABELS)
    model.save(path)
    other = pl.Classifier.load(path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="holds a model of classes; take Classifier.load"):
        pl.Regressor.load(path)
    with pytest.raises(TypeError, match="save: a model file holds models of the recipe for tables"):
        pl.Regressor(**QUICK).fit(X, np.stack([VALUES, VALUES], 1)).save(path)


def test_what_is_wrong_is_said():
    fit = pl.Classifier(**QUICK).fit
    with pytest.raises(ValueError, match="Invalid parameter 'depth' for estimator Classifier"):
        pl.Classifier().set_params(depth=3)
    with pytest.raises(NotFittedError, match="This Classifier instance is not fitted yet"):
        pl.Classifier().predict(X)
    with pytest.raises(NotFittedError, match="This Regressor instance is not fitted yet"):
        pl.Regressor().predict(X)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fit(X[0], LABELS)
    with pytest.raises(ValueError, match="Expected 2D array, got a scalar"):
        fit(3.0, LABELS)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        fit(X[:0], LABELS[:0])
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        fit(X[:, :0], LABELS)
    with pytest.raises(ValueError, match="contains infinity: row 3, column 1"):
        bad = X.copy()
        bad[3, 1] = np.inf
        fit(bad, LABELS)
    with pytest.raises(ValueError, match="contains infinity: row 3, column 1"):
        bad[0, 0] = np.nan  # a missing value does not hide it
        fit(bad, LABELS)
    with pytest.raises(ValueError, match="Complex data not supported"):
        fit(X + 1j, LABELS)
    with pytest.raises(ValueError, match="X: "):
        fit([[1, 2], [3]], [0, 1])
    with pytest.raises(TypeError, match="only two axes may hold texts"):
        fit(np.full((4, 2, 2), "a"), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="give numbers, texts, or a table"):
        fit(np.zeros((4, 2), dtype="datetime64[s]"), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="X, column 1, row 0: argument must be a string or a real number, not 'dict'"):
        fit(np.array([[1, {}], [2, 3]], dtype=object), [0, 1])
    with pytest.raises(ValueError, match="only one class|only one"):
        fit(X, np.zeros(120))
    with pytest.raises(ValueError, match="only one class is left"):
        fit(X, LABELS, sample_weight=(LABELS == "yes").astype(float))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        fit(X, VALUES)
    with pytest.raises(ValueError, match="Unknown label type: several columns of y"):
        fit(X, np.stack([VALUES, VALUES], axis=1).astype(int))
    with pytest.raises(ValueError, match="y holds values of type float and str"):
        fit(X[:2], np.array([1, "a"], dtype=object))
    with pytest.raises(ValueError, match="Unknown label type: y is of type datetime64"):
        fit(X[:2], np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        fit(X[:2], np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match="Input y contains infinity"):
        pl.Regressor().fit(X[:2], [1, np.inf])
    with pytest.raises(ValueError, match="Input y contains infinity or a value too large"):
        pl.Regressor().fit(X[:2], np.array([1, "inf"], dtype=object))
    with pytest.raises(ValueError, match="a regressor predicts numbers"):
        pl.Regressor().fit(X[:2], ["a", "b"])
    with pytest.raises(ValueError, match="y should be a 1d array"):
        pl.Regressor().fit(X[:2], np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="requires y to be passed"):
        fit(X, None)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[120, 7\]"):
        fit(X, LABELS[:7])
    with pytest.raises(ValueError, match="n_samples = 1"):
        pl.Regressor().fit(X[:1], [1.0])
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        fit(X, LABELS, sample_weight=[1, 2, 3])
    with pytest.raises(ValueError, match="finite and not negative"):
        fit(X, LABELS, sample_weight=-np.ones(120))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        fit(X, LABELS, sample_weight=np.zeros(120))
    with pytest.raises(ValueError, match="X has 2 features, but Classifier is expecting 4 features"):
        pl.Classifier(**QUICK).fit(X, LABELS).predict(X[:, :2])
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        fit(X, LABELS[:, None])
    with pytest.raises(ValueError, match="loss .*is not for"):
        pl.Classifier(loss="huber").fit(X, LABELS)
    with pytest.raises(TypeError, match="^batch_size: 'many' is of the wrong type"):
        pl.Classifier(batch_size="many").fit(X, LABELS)
    with pytest.raises(ValueError, match="^max_epochs 0 must be above 0"):
        pl.Classifier(max_epochs=0).fit(X, LABELS)


def test_nothing_is_printed_by_default(capfd):
    pl.Classifier(**QUICK).fit(X, LABELS)
    assert capfd.readouterr() == ("", "")
