"""Pellucid: a deep-learning engine that is clear all the way through.

Arrays follow the Python array API standard (2024.12); see `docs/python.md` for what differs and why.

    import pellucid as pl

    def loss(w, x, y):
        return pl.mean((x @ w["weight"] + w["bias"] - y) ** 2)

    gradients = pl.grad(loss)({"weight": pl.zeros((2, 1)), "bias": pl.zeros(1)}, x, y)
"""

from . import _core
from ._core import *  # noqa: F403  (the operations: made from the engine's records)
from ._core import __version__  # noqa: F401
from ._transforms import (  # noqa: F401
    checkpoint, compile, custom, grad, hessian_product, jacobian, jvp, scan, value_and_grad, vjp, vmap,
)
from ._types import conj, finfo, iinfo, isdtype, real  # noqa: F401
from ._types import namespace_info as __array_namespace_info__  # noqa: F401
from ._types import unpickle_array as _unpickle_array  # noqa: F401
from ._train import fit  # noqa: F401
from ._tabular import fit_table, update_table_model  # noqa: F401
from ._files import load, save  # noqa: F401

del data, init, io, loss, metrics, optim, random, schedule  # noqa: F821  (the extension's; these are the package's)
from . import data, init, io, loss, metrics, nn, optim, random, schedule  # noqa: F401


def __getattr__(name):  # estimators are imported when they are asked for
    if name in ("Classifier", "Regressor", "estimators"):
        import importlib

        module = importlib.import_module(".estimators", __name__)
        return module if name == "estimators" else getattr(module, name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), "Classifier", "Regressor", "estimators"})


__array_api_version__ = "2024.12"
e = 2.718281828459045
pi = 3.141592653589793
inf = float("inf")
nan = float("nan")
newaxis = None
