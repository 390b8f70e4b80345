"""Usual mistakes: the kind of exception, and a message that says what, where and the remedy."""

import numpy as np
import pytest

import pellucid as pl

X = pl.ones((3, 4))
LINEAR = pl.nn.Linear(4, 2)
ROWS = np.random.default_rng(0).normal(size=(12, 2))
LABELS = np.arange(12) % 2


def fit(loss="mean_squared_error", y=pl.ones((3, 2)), x=X, **options):
    return pl.fit(LINEAR, (x, y), loss=loss, **options)


MISTAKES = [
    # arrays
    (lambda: X @ X, ValueError, r"matmul: \[3, 4\] x \[3, 4\]: inner sizes 4 and 3 differ"),
    (lambda: X + pl.ones(2), ValueError, r"add: shapes \[3, 4\] and \[2\] do not broadcast: sizes 4 and 2 at axis -1"),
    (lambda: X[7], IndexError, r"position 7 is out of range for axis 0 of \[3, 4\]"),
    (lambda: X["a"], IndexError, "a str is no index; use integers, slices"),
    (lambda: pl.take(X, [9], axis=0).numpy(), IndexError, r"take: index 9 .* allowed are -3 to 2"),
    (lambda: X.__setitem__(0, 1), TypeError, "arrays never change: make another by where"),
    (lambda: pl.reshape(X, (5,)), ValueError, r"reshape: \[3, 4\] to \[5\]: 12 and 5 elements differ"),
    (lambda: pl.sum(X, axis=5), ValueError, r"sum: axis 5 is out of range for shape \[3, 4\]"),
    (lambda: float(X), TypeError, r"float: only an array of one element"),
    (lambda: bool(X), TypeError, r"use any\(\) or all\(\)"),
    (lambda: pl.zeros((2**40,)).numpy(), MemoryError, "4398046511104 bytes cannot be allocated"),
    (lambda: pl.zeros((2**62, 2**62)), MemoryError, "more elements than can be addressed"),
    (lambda: pl.ones(2, dtype="int7"), TypeError, "'int7' is no element type; the types are bool, uint8"),
    (lambda: pl.asarray("abc"), TypeError, "asarray: a str is no array"),
    (lambda: pl.asarray([[1, 2], [3]]), ValueError, "inhomogeneous shape"),
    (lambda: pl.asarray(np.array([1 + 2j])), TypeError, "elements of the type complex128"),
    (lambda: pl.asarray(np.array(["a"])), TypeError, "elements of the type <U1"),
    (lambda: pl.asarray(np.array(["2020-01-01"], "M8[D]")), TypeError, r"elements of the type datetime64\[D\]"),
    (lambda: pl.asarray(X, copy="a"), TypeError, "asarray: copy is True, False or None, not 'a'"),
    (lambda: np.asarray(X).__setitem__(0, 1), ValueError, "read-only"),
    (lambda: pl.random.normal(3, (2,)), ValueError, "make keys with random.key, split or fold_in"),
    # transforms
    (lambda: pl.grad(1), TypeError, "grad: give a function of arrays, not 1"),
    (lambda: pl.compile(1), TypeError, "compile: give a function of arrays, not 1"),
    (lambda: pl.grad(lambda a: a)(X), ValueError, "it must return a floating scalar"),
    (lambda: pl.grad(lambda a: 3.0)(X), ValueError, "give allow_unused=True if that is meant"),
    (lambda: pl.grad(pl.sum)(pl.arange(3)), TypeError, "holds no floating array"),
    (lambda: pl.vmap(lambda a, b: a + b)(X, pl.ones(5)), ValueError, "argument 1 has 5 examples along axis 0"),
    (lambda: pl.compile(lambda a: a if a else -a)(pl.ones(())), ValueError, "a function that is being traced"),
    # layers
    (lambda: pl.nn.Linear(0, 2), ValueError, "Linear: sizes 0 and 2 must be positive"),
    (lambda: pl.nn.Linear("a", 2), TypeError, "^Linear: the setting 'inputs' has the wrong type"),
    (lambda: LINEAR(pl.ones((3, 5))), ValueError, r"its last axis must have 4 features \(layer 'Linear'\)"),
    (lambda: LINEAR.wieght, AttributeError, "Linear has no member 'wieght'; its members: weight, bias"),
    (lambda: LINEAR.load_state_dict({"w": 1}), ValueError, "the module has no 'w'; its arrays are weight, bias"),
    (lambda: pl.nn.Sequential(1), TypeError, "a layer is an nn.Module or a function of one array, not 1"),
    (lambda: pl.nn.Embedding(5, 2)(pl.asarray([7])).numpy(), ValueError, "there are 5 rows, 0 to 4"),
    # optimisers, losses, training
    (lambda: pl.optim.Adam(-1), ValueError, "learning rate = -1 is not a rate"),
    (lambda: pl.optim.by_name("adm"), ValueError, "^optim.by_name: there is no optimiser 'adm': choose one of sgd, adam"),
    (lambda: pl.schedule.Cosine(initial=-1), ValueError, "^schedule.Cosine: initial = -1"),
    (lambda: pl.loss.cross_entropy(X, [0, 1, 9]), ValueError, "target 9 at position 2 is no class"),
    (lambda: fit("mse"), ValueError, "loss: 'mse' is unknown; there are binary_cross_entropy"),
    (lambda: fit(lambda p, t: p), ValueError, "not one floating number; take its mean or sum"),
    (lambda: fit(y=pl.ones((2, 2))), ValueError, "give one y for each x"),
    (lambda: fit(x=X * np.nan), ValueError, "fit: x holds nan in row 0"),
    (lambda: fit(max_epochs=2.5), TypeError, "fit: 'max_epochs' is an integer, not 2.5"),
    (lambda: fit(metrics=["acuracy"]), ValueError, "there is no 'acuracy'; there are accuracy"),
    (lambda: fit(checkpoint="/nonexistent/a"), FileNotFoundError, "make the folder first"),
    (lambda: pl.fit(lambda x: x, (X, X), loss="huber"), TypeError, "a function is no module"),
    # files
    (lambda: pl.load("/nonexistent"), FileNotFoundError, "cannot open '/nonexistent'"),
    (lambda: pl.load("/"), OSError, "is a folder; give a file"),
    (lambda: pl.load("/etc/passwd"), ValueError, "is no safetensors file"),
    (lambda: pl.save("/tmp/x", 3), TypeError, "save: a int is no module, TableModel or dict of arrays"),
    # estimators
    (lambda: pl.Classifier().predict([[1]]), ValueError, "not fitted yet"),
    (lambda: pl.Classifier(hidden="a").fit(ROWS, LABELS), TypeError, r"hidden: 'a'; give the sizes of the hidden layers"),
    (lambda: pl.Classifier(learning_rate="x").fit(ROWS, LABELS), TypeError, "learning_rate: 'x' is no number"),
    (lambda: pl.Classifier(optimizer="adm").fit(ROWS, LABELS), ValueError, "optimizer adm is not known; take one of: sgd"),
    (lambda: pl.Classifier(max_epochs=0).fit(ROWS, LABELS), ValueError, "max_epochs 0 must be above 0"),
    (lambda: pl.Classifier(network=3).fit(ROWS, LABELS), TypeError, "network: a module, or a function"),
    (lambda: pl.Regressor().fit(ROWS, np.full(12, "a")), ValueError, "a regressor predicts numbers"),
]


@pytest.mark.parametrize("mistake, kind, text", MISTAKES, ids=[text[:40] for _, _, text in MISTAKES])
def test_a_mistake_is_of_its_kind_and_says_so(mistake, kind, text):
    with pytest.raises(kind, match=text):
        mistake()


def test_an_item_that_is_assigned_is_a_type_error():
    with pytest.raises(TypeError, match="where"):
        X[0] = 1
