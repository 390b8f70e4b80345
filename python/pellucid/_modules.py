"""What every module can do: those of the engine (Layer) and those that are classes of Python (Module). See nn.py."""

from __future__ import annotations

import json as _json
from typing import Any as _Any

from . import _core
from ._core import Buffer, Parameter

_AUTOMATIC, _TRAINING, _EVALUATION = 0, 1, 2


class _Methods:
    """What layers of the engine and modules of Python can do alike."""

    def named_parameters(self) -> dict[str, _core.Array]:
        """A dict of the parameters' arrays by name, in order of declaration."""
        return _core._named_parameters(self)

    def named_buffers(self) -> dict[str, _core.Array]:
        """A dict of the buffers' arrays by name: running statistics and other constants that are saved."""
        return _core._named_buffers(self)

    def parameters(self) -> list[_core.Array]:
        """The parameters' arrays."""
        return list(_core._named_parameters(self).values())

    def trainable_parameters(self) -> dict[str, _core.Array]:
        """A dict of the arrays that grad differentiates, by name: those of parameters that are not frozen."""
        trainable = _core._trainable(self)
        return {name: value for name, value in _core._named_parameters(self).items() if trainable[name]}

    def parameter_count(self, trainable_only: bool = False) -> int:
        """The number of elements of all parameters."""
        return _core._parameter_count(self, trainable_only)

    def state_dict(self) -> dict[str, _core.Array]:
        """A dict of all arrays, parameters and buffers, by name."""
        return {**_core._named_parameters(self), **_core._named_buffers(self)}

    def load_state_dict(self, state: _Any, partial: bool = False) -> _Any:
        """Replaces parameters and buffers by name.

        Raises ValueError for a name that the module lacks, a shape that differs, and, unless `partial`, an array of the
        module that is not in `state`; nothing is replaced then.
        """
        _core._load_state(self, dict(state), partial)
        return self

    def update(self, arrays: _Any) -> _Any:
        """Replaces the arrays named in a dict: load_state_dict(arrays, partial=True), for loops by hand."""
        _core._load_state(self, dict(arrays), True)
        return self

    def freeze(self, pattern: str = "*") -> int:
        """Makes parameters whose names match not trainable ('*' any characters, '?' one); gives their number."""
        return _core._freeze(self, pattern, True)

    def unfreeze(self, pattern: str = "*") -> int:
        """Makes parameters whose names match trainable again; gives their number."""
        return _core._freeze(self, pattern, False)

    def train(self) -> _Any:
        """All layers behave as in training, whatever the Context."""
        _core._set_mode(self, _TRAINING)
        return self

    def eval(self) -> _Any:
        """All layers behave as in evaluation, whatever the Context."""
        _core._set_mode(self, _EVALUATION)
        return self

    def automatic(self) -> _Any:
        """All layers behave as the Context says: training inside one that trains, else evaluation. The default."""
        _core._set_mode(self, _AUTOMATIC)
        return self

    def astype(self, dtype: _Any) -> _Any:
        """Converts all floating parameters and buffers, in place."""
        _core._astype(self, dtype)
        return self

    def initialize(self, key: _Any) -> _Any:
        """Draws all parameters anew from `key` (pl.random.key(0)), and returns buffers to their first values."""
        _core._initialize(self, key)
        return self

    def describe(self) -> dict[str, _Any]:
        """What the network is made of, without its numbers: nested dicts of types and settings."""
        return _json.loads(_core._describe(self))

    def summary(self, x: _Any) -> str:
        """A table of each layer called with x: path, layer, shape of its output, parameters. Nothing is computed."""
        return _core._summary(self, x)


class Module(_Methods):
    """The base of your networks: a class with __call__, whose attributes are its members.

    What counts: Parameter, Buffer, layers, modules, and lists, tuples and dicts of these. Plain arrays are constants.
    """

    def __repr__(self):
        inside = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if _core._is_module(v))
        return f"{type(self).__name__}({inside})"


class Layer(_core._Layer, _Methods):
    """A layer of the engine. Its members (weight, bias, ...) are attributes."""

    def __getattr__(self, name: str) -> _Any:
        if name.startswith("__"):
            raise AttributeError(name)
        member = self._member(name)
        if member is NotImplemented:
            known = ", ".join(self._members()) or "none"
            raise AttributeError(f"{type(self).__name__} has no member {name!r}; its members: {known}")
        return member

    def __setattr__(self, name: str, value: _Any) -> None:
        member = self._member(name)
        if isinstance(member, (Parameter, Buffer)):
            member.value = value.value if isinstance(value, (Parameter, Buffer)) else value
        elif member is not NotImplemented:
            raise AttributeError(f"{type(self).__name__}.{name}: a layer inside a layer cannot be replaced")
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(m.split(".")[0] for m in self._members())})

    def __len__(self) -> int:
        if self._type not in ("Sequential", "Residual"):
            raise TypeError(f"a {self._type} has no length")
        return len({m.split(".")[0] for m in self._positions()})

    def _positions(self):
        return [m for m in self._member_names() if m.split(".")[0].isdigit()]

    def _member_names(self):
        found, i = [], 0
        while self._member(str(i)) is not NotImplemented:
            found.append(str(i))
            i += 1
        return found

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, i: int) -> _Any:
        if self._type not in ("Sequential", "Residual"):
            raise TypeError(f"a {self._type} has no layers by position")
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"{self._type}: there is no layer {i} among {n}")
        return self._member(str(i % n))

    def __repr__(self):
        if self._type in ("Sequential", "Residual"):
            return f"{self._type}({', '.join(repr(self[i]) for i in range(len(self)))})"
        return f"{self._type}({', '.join(f'{k}={v!r}' for k, v in self._settings.items())})"

    def __reduce__(self):
        return _unpickle, (_core._describe(self), {k: v.numpy() for k, v in self.state_dict().items()})

    def __deepcopy__(self, memo):
        return self._copy()

    def __copy__(self):
        return self._copy()


def _unpickle(description, state):
    return _core._build(description).load_state_dict(state)
