"""Random arrays: a key and a shape determine every element.

    key = pl.random.key(0)
    x = pl.random.normal(key, (3, 4))
    y = pl.random.uniform(pl.random.fold_in(key, 1), (3, 4))

The same key gives the same numbers on every machine and with any number of threads; split and fold_in make new keys.
"""

from ._core.random import *  # noqa: F403  (made from the engine's records)

__all__ = [n for n in globals() if not n.startswith("_")]
