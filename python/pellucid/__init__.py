"""Pellucid: a deep-learning engine that is clear all the way through.

Arrays follow the Python array API standard (2024.12); see `docs/python.md` for what differs and why.

    import pellucid as pl

    def loss(w, x, y):
        return pl.mean((x @ w["weight"] + w["bias"] - y) ** 2)

    gradients = pl.grad(loss)({"weight": pl.zeros((2, 1)), "bias": pl.zeros(1)}, x, y)
"""

import typing as _typing

from . import _core
from ._core import *  # noqa: F403  (the operations: made from the engine's records)
from ._core import __version__ as __version__
from ._transforms import (
    checkpoint as checkpoint, compile as compile, custom as custom, grad as grad, hessian_product as hessian_product,
    jacobian as jacobian, jvp as jvp, scan as scan, value_and_grad as value_and_grad, vjp as vjp, vmap as vmap,
)
from ._types import conj as conj, finfo as finfo, iinfo as iinfo, isdtype as isdtype, real as real
from ._types import namespace_info as __array_namespace_info__
from ._types import unpickle_array as _unpickle_array
from ._train import fit as fit
from ._tabular import fit_table as fit_table, update_table_model as update_table_model
from ._files import load as load, save as save

del augment, data, init, io, loss, metrics, optim, random, schedule  # noqa: F821  (the extension's; these are the package's)
from . import augment as augment, data as data, init as init, io as io, loss as loss, metrics as metrics, nn as nn
from . import optim as optim, random as random, schedule as schedule


if _typing.TYPE_CHECKING:
    from . import estimators as estimators
    from .estimators import Classifier as Classifier, Regressor as Regressor
else:

    def __getattr__(name):  # estimators are imported when they are asked for
        if name in ("Classifier", "Regressor", "estimators"):
            import importlib

            module = importlib.import_module(".estimators", __name__)
            return module if name == "estimators" else getattr(module, name)
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "Classifier", "Regressor", "estimators"})


__array_api_version__ = "2024.12"
e = 2.718281828459045
pi = 3.141592653589793
inf = float("inf")
nan = float("nan")
newaxis = None
