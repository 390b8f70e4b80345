"""Tensor, Variable and Module; every operation on tensors goes through `apply`, where tapes listen."""

import builtins
import itertools
import threading

import numpy as np

import pellucid as pl


class _Listeners(threading.local):
    """The tapes that are recording on this thread, the outermost first."""

    def __init__(self):
        self.tapes = []


listeners = _Listeners()


def apply(operation, *inputs, **settings):
    """Tensor of operation(*arrays, **settings), recorded by the tapes that watch one of the inputs.

    operation: a function of pellucid or of this package's files, the same object in each call: programs are compared by
    it. Inputs: tensors, variables, and Python numbers, which are inputs of the program as well.
    """
    tensors = [_input(x) for x in inputs]
    result = operation(*(t.array if isinstance(t, Tensor) else t for t in tensors), **settings)
    outputs = tuple(Tensor(a) for a in result) if isinstance(result, (tuple, list)) else Tensor(result)
    for tape in listeners.tapes:
        tape.record(operation, settings, tensors, outputs if isinstance(outputs, tuple) else (outputs,))
    return outputs


def _input(x):
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Variable):
        return x.read()
    if isinstance(x, (builtins.bool, int, float)):
        return x
    return constant(x)


def _operator(operation, name):
    def forward(self, other):
        return apply(operation, self, other)

    def backward(self, other):
        return apply(operation, other, self)

    forward.__name__, backward.__name__ = f"__{name}__", f"__r{name}__"
    return forward, backward


class _Operators:
    """What tensors and variables have in common: operators, conversions, shape and type."""

    __array_priority__ = 100
    __hash__ = None  # as in TensorFlow: == compares elements

    __add__, __radd__ = _operator(pl.add, "add")
    __sub__, __rsub__ = _operator(pl.subtract, "sub")
    __mul__, __rmul__ = _operator(pl.multiply, "mul")
    __truediv__, __rtruediv__ = _operator(pl.divide, "truediv")
    __floordiv__, __rfloordiv__ = _operator(pl.floor_divide, "floordiv")
    __mod__, __rmod__ = _operator(pl.remainder, "mod")
    __pow__, __rpow__ = _operator(pl.pow, "pow")
    __matmul__, __rmatmul__ = _operator(pl.matmul, "matmul")
    __lt__, __gt__ = _operator(pl.less, "lt")[0], _operator(pl.greater, "gt")[0]
    __le__, __ge__ = _operator(pl.less_equal, "le")[0], _operator(pl.greater_equal, "ge")[0]
    __eq__, __ne__ = _operator(pl.equal, "eq")[0], _operator(pl.not_equal, "ne")[0]

    def __neg__(self):
        return apply(pl.negative, self)

    def __abs__(self):
        return apply(pl.abs, self)

    def __getitem__(self, key):
        return apply(_index, self, key=_Key(key))

    def __len__(self):
        if not self.shape:
            raise TypeError("a scalar has no length")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return builtins.bool(self.numpy())

    def __float__(self):
        return float(self.numpy())

    def __int__(self):
        return int(self.numpy())

    def __index__(self):
        return self.numpy().__index__()

    def __format__(self, spec):
        return format(self.numpy(), spec) if spec else str(self)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype)

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)


class _Key:
    """An index as a setting: its text tells programs apart. Arrays in it are constants of the program."""

    def __init__(self, key):
        def plain(k):
            if isinstance(k, tuple):
                return tuple(plain(x) for x in k)
            return _input(k).array if isinstance(k, (_Operators, np.ndarray, list)) else k

        self.key = plain(key)
        self.arrays = any(isinstance(k, pl.Array) for k in (self.key if isinstance(self.key, tuple) else (self.key,)))

    def __repr__(self):
        return f"{id(self)}" if self.arrays else repr(self.key)


def _index(x, key):
    return x[key.key]


class Tensor(_Operators):
    """Numbers that never change. Made by constant, and by every operation."""

    def __init__(self, array):
        self.array = array

    @property
    def shape(self):
        """The sizes of the axes: a tuple."""
        return self.array.shape

    @property
    def dtype(self):
        """The type of the elements: tf.float32, ..."""
        return self.array.dtype

    def numpy(self):
        """The numbers as a NumPy array, or as a NumPy number where there is one alone."""
        return self.array.numpy()[()]

    def __repr__(self):
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={self.array.numpy()!r}>"

    def __str__(self):
        return f"tf.Tensor({self.array.numpy()}, shape={self.shape}, dtype={self.dtype.name})"


_numbers = itertools.count()


class Variable(_Operators):
    """Numbers that change by assignment. A trainable one is watched by every tape that sees it used."""

    def __init__(self, initial_value, trainable=True, name=None, dtype=None, **_):
        if callable(initial_value):
            initial_value = initial_value()
        self._tensor = convert_to_tensor(initial_value, dtype)
        self.trainable = trainable
        self.name = name if name is not None else f"Variable:{next(_numbers)}"

    def read(self):
        """The present numbers as a Tensor."""
        for tape in listeners.tapes:
            tape.see(self, self._tensor)
        return self._tensor

    read_value = value = read

    @property
    def shape(self):
        """The sizes of the axes: a tuple."""
        return self._tensor.shape

    @property
    def dtype(self):
        """The type of the elements: tf.float32, ..."""
        return self._tensor.dtype

    def numpy(self):
        """The present numbers as a NumPy array."""
        return self._tensor.numpy()

    def assign(self, value):
        """Replaces the numbers. Raises ValueError where the shape differs."""
        array = convert_to_tensor(value).array
        if array.shape != self.shape:
            raise ValueError(f"assign: variable '{self.name}' is of shape {self.shape}, and the value of {array.shape}")
        self._tensor = Tensor(array if array.dtype == self.dtype else pl.astype(array, self.dtype))
        return self

    def assign_add(self, delta):
        """Adds to the numbers."""
        return self.assign(Tensor(self._tensor.array + convert_to_tensor(delta).array))

    def assign_sub(self, delta):
        """Subtracts from the numbers."""
        return self.assign(Tensor(self._tensor.array - convert_to_tensor(delta).array))

    def __repr__(self):
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}, numpy={self.numpy()!r}>"


def _integers(value):
    """Are Python numbers, nested or not, all whole? TensorFlow makes these int32."""
    array = np.asarray(value)
    return array.dtype == np.int64 and not isinstance(value, (np.ndarray, np.generic))


def constant(value, dtype=None, shape=None, name=None):
    """A Tensor of numbers; Python's whole numbers become int32, others float32."""
    if isinstance(value, _Operators):
        array = _input(value).array
    elif isinstance(value, pl.Array):
        array = value
    elif isinstance(value, (list, tuple)) and any(isinstance(v, _Operators) for v in value):
        return apply(_stack, *value)
    elif dtype is None and _integers(value):
        array = pl.asarray(value, dtype=pl.int32)
    else:
        array = pl.asarray(value, copy=True)
    if dtype is not None:
        array = pl.astype(array, dtype)
    if shape is not None:
        array = pl.broadcast_to(array, shape) if array.size == 1 else pl.reshape(array, shape)
    return Tensor(array)


def _stack(*arrays):
    return pl.stack(arrays)


def convert_to_tensor(value, dtype=None, name=None):
    """`value` as a Tensor: itself where it is one of that type."""
    tensor = _input(value) if isinstance(value, _Operators) else constant(value, dtype)
    if dtype is not None and tensor.dtype != pl.dtype(dtype):
        return apply(pl.astype, tensor, dtype=dtype)
    return tensor


class Module:
    """A base for networks: the variables among its attributes, and among those of modules in them."""

    def __init__(self, name=None):
        self.name = name or type(self).__name__.lower()

    @property
    def variables(self):
        """All variables, by their attributes' names."""
        return tuple(_variables(self, set()))

    @property
    def trainable_variables(self):
        """Those that are trainable."""
        return tuple(v for v in self.variables if v.trainable)


def _variables(thing, seen):
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Variable):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for item in thing:
            yield from _variables(item, seen)
    elif isinstance(thing, dict):
        for key in sorted(thing, key=str):
            yield from _variables(thing[key], seen)
    elif isinstance(thing, Module):
        yield from _variables(vars(thing), seen)
