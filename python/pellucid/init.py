"""Initial values of parameters. An Initializer is called with (key, shape, dtype):

    pl.init.he_normal()(pl.random.key(0), (784, 256))

Weights are stored (in, out), leading axes being positions of a window: fan in is the size of the last axis but one times
the leading sizes, fan out that of the last axis times them.
"""

from ._core.init import *  # noqa: F403

__all__ = [n for n in globals() if not n.startswith("_")]
