"""Types for annotations: what stands for an array, where a function takes one."""

import typing as _typing

from ._core import Array, DType

ArrayLike: _typing.TypeAlias = _typing.Any
"""An Array, a Parameter, a number, nested lists of numbers, or what offers a buffer, DLPack or __array__."""
DTypeLike: _typing.TypeAlias = DType | str | type
"""pellucid.float32, "float32", numpy.float32, float, int, bool."""
__all__ = ["Array", "ArrayLike", "DType", "DTypeLike"]
