"""Initial values of parameters. An Initializer is called with (key, shape, dtype):

    pl.init.he_normal()(pl.random.key(0), (784, 256))

Weights are stored (in, out), leading axes being positions of a window: fan in is the size of the last axis but one times
the leading sizes, fan out that of the last axis times them.
"""

from ._core.init import (  # noqa: F401
    Initializer, constant, fans, gain, he_normal, he_uniform, lecun_normal, lecun_uniform, normal, ones, orthogonal,
    truncated_normal, uniform, xavier_normal, xavier_uniform, zeros,
)

__all__ = [n for n in globals() if not n.startswith("_")]
