"""tf.math: the functions of numbers that tf itself has, under this name too."""

import pellucid as _pl

from ._operations import (  # noqa: F401
    _of_one, _reduction, abs, add, argmax, argmin, cos, divide, equal, exp, floor, greater, greater_equal, less, less_equal,
    logical_and, logical_not, logical_or, maximum, minimum, multiply, negative, not_equal, pow, reduce_all, reduce_any, reduce_logsumexp,
    reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum, round, sigmoid, sign, sin, sqrt, square,
    subtract, tanh,
)

reduce_std = _reduction("std", _pl.std)
reduce_variance = _reduction("variance", _pl.var)

for _name in "log log1p expm1 ceil softplus erf".split():
    globals()[_name] = _of_one(_name, getattr(_pl, _name))
