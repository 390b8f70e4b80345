"""tf.math: the functions of numbers that tf itself has, under this name too."""

import pellucid as _pl

from ._operations import (  # noqa: F401
    _of_one, abs, add, argmax, argmin, divide, equal, exp, greater, less, maximum, minimum, multiply, negative, not_equal,
    pow, reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum, sigmoid, sign, sqrt, square, subtract, tanh,
)

for _name in "log log1p expm1 sin cos floor ceil softplus erf".split():
    globals()[_name] = _of_one(_name, getattr(_pl, _name))
