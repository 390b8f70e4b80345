"""TensorFlow's functions of tensors, by its names and arguments."""

import builtins

import pellucid as pl

from ._tensor import Tensor, apply, constant, convert_to_tensor


def _of_one(name, operation):
    def function(x, name=None):
        return apply(operation, convert_to_tensor(x))

    function.__name__ = name
    function.__doc__ = f"tf.{name}: {(operation.__doc__ or name).splitlines()[0]}"
    return function


def _of_two(name, operation):
    def function(x, y, name=None):
        return apply(operation, x, y)

    function.__name__ = name
    function.__doc__ = f"tf.{name}, element by element; shapes broadcast, types promote."
    return function


for _name in "abs cos exp floor logical_not negative round sigmoid sign sin sqrt square tanh".split():
    globals()[_name] = _of_one(_name, getattr(pl, _name))
for _name in ("add divide equal greater greater_equal less less_equal logical_and logical_or maximum minimum multiply "
              "not_equal pow subtract").split():
    globals()[_name] = _of_two(_name, getattr(pl, _name))


def _reduction(name, operation):
    def function(input_tensor, axis=None, keepdims=False, name=None):
        axis = tuple(axis) if isinstance(axis, list) else axis
        return apply(operation, convert_to_tensor(input_tensor), axis=axis, keepdims=keepdims)

    function.__name__ = f"reduce_{name}"
    function.__doc__ = f"The {name} along the axes; along all of them without."
    return function


for _name in "sum mean prod max min any all logsumexp".split():
    globals()[f"reduce_{_name}"] = _reduction(_name, getattr(pl, _name))


def zeros(shape, dtype=pl.float32, name=None):
    """Zeros of a shape."""
    return Tensor(pl.zeros(_sizes(shape), dtype=dtype))


def ones(shape, dtype=pl.float32, name=None):
    """Ones of a shape."""
    return Tensor(pl.ones(_sizes(shape), dtype=dtype))


def fill(dims, value, name=None):
    """`value` repeated to a shape."""
    return apply(pl.broadcast_to, constant(value), shape=_sizes(dims))


def zeros_like(input, dtype=None, name=None):
    """Zeros of the same shape and type."""
    return Tensor(pl.zeros_like(convert_to_tensor(input).array, dtype=dtype))


def ones_like(input, dtype=None, name=None):
    """Ones of the same shape and type."""
    return Tensor(pl.ones_like(convert_to_tensor(input).array, dtype=dtype))


def eye(num_rows, num_columns=None, dtype=pl.float32, name=None):
    """Ones on the diagonal, zeros elsewhere."""
    return Tensor(pl.eye(num_rows, num_columns, dtype=dtype))


def range(start, limit=None, delta=1, dtype=None, name=None):
    """start, start + delta, ... below limit."""
    if limit is None:
        start, limit = 0, start
    whole = builtins.all(isinstance(v, int) for v in (start, limit, delta))
    return Tensor(pl.arange(start, limit, delta, dtype=dtype or (pl.int32 if whole else pl.float32)))


def linspace(start, stop, num, name=None):
    """`num` evenly spaced numbers, from start to stop."""
    return Tensor(pl.linspace(start, stop, num))


def _sizes(shape):
    if isinstance(shape, Tensor):
        return tuple(int(n) for n in shape.numpy())
    return shape if isinstance(shape, int) else tuple(int(n) for n in shape)


def matmul(a, b, transpose_a=False, transpose_b=False, name=None):
    """The matrix product; where the types differ they promote."""
    return apply(_matmul, a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def _matmul(a, b, transpose_a, transpose_b):
    a, b = pl.asarray(a), pl.asarray(b)
    return pl.matmul(pl.swapaxes(a, -1, -2) if transpose_a else a, pl.swapaxes(b, -1, -2) if transpose_b else b)


def cast(x, dtype, name=None):
    """x in another type."""
    return apply(pl.astype, convert_to_tensor(x), dtype=dtype)


def identity(input, name=None):
    """The same numbers."""
    return apply(pl.positive, convert_to_tensor(input))


def stop_gradient(input, name=None):
    """The same numbers, through which no derivative flows."""
    return apply(pl.stop_gradient, convert_to_tensor(input))


def reshape(tensor, shape, name=None):
    """The numbers in row-major order under another shape; one size may be -1."""
    return apply(pl.reshape, convert_to_tensor(tensor), shape=_sizes(shape))


def transpose(a, perm=None, name=None):
    """The axes in another order; reversed where none is given."""
    a = convert_to_tensor(a)
    order = tuple(reversed(builtins.range(a.ndim))) if perm is None else tuple(int(p) for p in perm)
    return apply(_permute, a, order=order)


def _permute(x, order):
    return pl.permute_dims(x, order)


def expand_dims(input, axis, name=None):
    """With an axis of size 1 more."""
    return apply(pl.expand_dims, convert_to_tensor(input), axis=axis)


def squeeze(input, axis=None, name=None):
    """Without the axes of size 1, or those named."""
    x = convert_to_tensor(input)
    if axis is None:
        axis = tuple(i for i, n in enumerate(x.shape) if n == 1)
    return apply(pl.squeeze, x, axis=tuple(axis) if isinstance(axis, list) else axis)


def concat(values, axis, name=None):
    """Tensors one after the other along an axis."""
    return apply(_concat, *values, axis=axis)


def _concat(*arrays, axis):
    return pl.concat(arrays, axis=axis)


def stack(values, axis=0, name=None):
    """Tensors of one shape along a new axis."""
    return apply(_stack, *values, axis=axis)


def _stack(*arrays, axis):
    return pl.stack(arrays, axis=axis)


def tile(input, multiples, name=None):
    """Repeated along each axis."""
    return apply(pl.tile, convert_to_tensor(input), repetitions=_sizes(multiples))


def gather(params, indices, axis=0, name=None):
    """The slices along an axis that the indices name."""
    return apply(_gather, convert_to_tensor(params), convert_to_tensor(indices), axis=axis)


def _gather(x, indices, axis):
    axis = axis % x.ndim
    taken = pl.take(x, pl.reshape(indices, (-1,)), axis=axis)
    return pl.reshape(taken, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1:]))


def where(condition, x, y, name=None):
    """x where the condition holds, else y."""
    return apply(pl.where, condition, x, y)


def clip_by_value(t, clip_value_min, clip_value_max, name=None):
    """Kept within bounds."""
    return minimum(maximum(t, clip_value_min), clip_value_max)  # noqa: F821


def argmax(input, axis=0, output_type=pl.int64, name=None):
    """The position of the first largest along an axis."""
    return cast(apply(pl.argmax, convert_to_tensor(input), axis=axis), output_type)


def argmin(input, axis=0, output_type=pl.int64, name=None):
    """The position of the first smallest along an axis."""
    return cast(apply(pl.argmin, convert_to_tensor(input), axis=axis), output_type)


def one_hot(indices, depth, on_value=1.0, off_value=0.0, axis=-1, dtype=pl.float32, name=None):
    """on_value at the position that each index names along a new axis, off_value elsewhere."""
    hot = apply(_one_hot, convert_to_tensor(indices), depth=depth, axis=axis)
    return cast(hot * (on_value - off_value) + off_value, dtype)


def _one_hot(indices, depth, axis):
    return pl.moveaxis(pl.astype(pl.one_hot(indices, depth), pl.float32), -1, axis)


def shape(input, out_type=pl.int32, name=None):
    """The sizes of the axes, as a Tensor."""
    return constant(list(convert_to_tensor(input).shape), dtype=out_type)


__all__ = [n for n in globals() if not n.startswith("_")]
