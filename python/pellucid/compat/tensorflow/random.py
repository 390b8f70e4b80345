"""tf.random: draws from one sequence for the process, which set_seed starts again."""

import secrets as _secrets

import pellucid as _pl

from ._operations import _sizes
from ._tensor import Tensor as _Tensor


class _Sequence:
    seed, drawn = None, 0


def set_seed(seed):
    """The draws that follow are the same each time."""
    _Sequence.seed, _Sequence.drawn = int(seed), 0


def _key(seed):
    """A key that no draw has had; the same for the same sequence and seed of the call."""
    if _Sequence.seed is None:
        _Sequence.seed = _secrets.randbits(62)
    _Sequence.drawn += 1
    key = _pl.random.fold_in(_pl.random.key(_Sequence.seed), _Sequence.drawn)
    return key if seed is None else _pl.random.fold_in(key, int(seed))


def normal(shape, mean=0.0, stddev=1.0, dtype=_pl.float32, seed=None, name=None):
    """Normally distributed numbers."""
    return _Tensor(_pl.random.normal(_key(seed), _sizes(shape), mean, stddev, dtype=dtype))


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=_pl.float32, seed=None, name=None):
    """Normally distributed numbers, none more than two deviations from the mean."""
    return _Tensor(_pl.random.truncated_normal(_key(seed), _sizes(shape), dtype=dtype) * stddev + mean)


def uniform(shape, minval=0, maxval=None, dtype=_pl.float32, seed=None, name=None):
    """Uniform in [minval, maxval), which is [0, 1) for floats."""
    if _pl.isdtype(dtype, "integral"):
        if maxval is None:
            raise ValueError(f"Must specify maxval for integer dtype {_pl.dtype(dtype).name}")
        return _Tensor(_pl.random.integers(_key(seed), _sizes(shape), minval, maxval, dtype=dtype))
    return _Tensor(_pl.random.uniform(_key(seed), _sizes(shape), minval, 1 if maxval is None else maxval, dtype=dtype))


def shuffle(value, seed=None, name=None):
    """The rows in a random order."""
    from ._operations import gather
    from ._tensor import convert_to_tensor

    value = convert_to_tensor(value)
    return gather(value, _Tensor(_pl.random.permutation(_key(seed), value.shape[0])))
