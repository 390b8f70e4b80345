"""Named results of functions that give several arrays, and what the array API standard asks about types."""

import builtins as _builtins
import collections as _collections
import importlib as _importlib

from . import _core

UniqueAll = _collections.namedtuple("UniqueAll", "values indices inverse_indices counts")
UniqueCounts = _collections.namedtuple("UniqueCounts", "values counts")
UniqueInverse = _collections.namedtuple("UniqueInverse", "values inverse_indices")
TopK = _collections.namedtuple("TopK", "values indices")
FInfo = _collections.namedtuple("finfo", "bits eps max min smallest_normal dtype")
IInfo = _collections.namedtuple("iinfo", "bits max min dtype")

_FLOATS = {
    "bfloat16": (16, 2.0**-7, (2 - 2.0**-7) * 2.0**127, 2.0**-126),
    "float32": (32, 2.0**-23, (2 - 2.0**-23) * 2.0**127, 2.0**-126),
    "float64": (64, 2.0**-52, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022),
}
_INTEGERS = {"uint8": (8, 0, 255), "int32": (32, -(2**31), 2**31 - 1), "int64": (64, -(2**63), 2**63 - 1)}
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int32", "int64"),
    "unsigned integer": ("uint8",),
    "integral": ("uint8", "int32", "int64"),
    "real floating": ("bfloat16", "float32", "float64"),
    "complex floating": (),
    "numeric": ("uint8", "int32", "int64", "bfloat16", "float32", "float64"),
}


def _type_of(type):
    return type.dtype if isinstance(type, (_core.Array, _core.Parameter, _core.Buffer)) else _core.dtype(type)


def finfo(type, /):
    """What a floating type can hold: bits, eps, max, min, smallest_normal, dtype. `type`: a type, or an array."""
    dtype = _type_of(type)
    if dtype.name not in _FLOATS:
        raise TypeError(f"finfo: {dtype} is not a floating type; use iinfo")
    bits, eps, largest, smallest = _FLOATS[dtype.name]
    return FInfo(bits, eps, largest, -largest, smallest, dtype)


def iinfo(type, /):
    """What an integer type can hold: bits, max, min, dtype. `type`: a type, or an array."""
    dtype = _type_of(type)
    if dtype.name not in _INTEGERS:
        raise TypeError(f"iinfo: {dtype} is not an integer type; use finfo")
    bits, low, high = _INTEGERS[dtype.name]
    return IInfo(bits, high, low, dtype)


def conj(x, /):
    """x itself: no type here is complex."""
    return _core.positive(x)


def real(x, /):
    """x itself: no type here is complex."""
    return _core.positive(x)


def isdtype(dtype, kind):
    """Is the type of this kind: a type, a kind's name ("integral", "real floating", ...), or a tuple of these?"""
    dtype = _core.dtype(dtype)
    if isinstance(kind, tuple):
        return _builtins.any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return dtype.name in _KINDS[kind]
    try:
        return dtype == _core.dtype(kind)
    except TypeError:
        raise ValueError(f"isdtype: {kind!r} is no kind; the kinds are {', '.join(_KINDS)}") from None


class ArrayNamespaceInfo:
    """What this namespace has of the array API standard; see __array_namespace_info__."""

    def capabilities(self):
        """Arrays may be indexed by masks, and shapes may depend on values (outside compiled functions)."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 16}

    def default_device(self):
        return "cpu"

    def devices(self):
        return ["cpu"]

    def default_dtypes(self, *, device=None):
        """The types that Python numbers become."""
        return {
            "real floating": _core.float32,
            "complex floating": None,
            "integral": _core.int64,
            "indexing": _core.int64,
        }

    def dtypes(self, *, device=None, kind=None):
        """Types by name, of all kinds or of one."""
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        for k in kinds:
            if k not in _KINDS:
                raise ValueError(f"dtypes: {k!r} is no kind; the kinds are {', '.join(_KINDS)}")
        return {name: _core.dtype(name) for k in kinds for name in _KINDS[k]}


def namespace_info():
    """What this namespace has of the array API standard: types, devices, capabilities."""
    return ArrayNamespaceInfo()


def unpickle_array(values, dtype):
    return _core.asarray(values, dtype=dtype, copy=True)


def call_by_name(module, name, arguments):
    """For pickles of what a function of the extension made."""
    return getattr(_importlib.import_module(module), name)(*arguments)
