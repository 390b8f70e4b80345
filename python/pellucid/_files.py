"""save and load: arrays and modules in safetensors files."""

from __future__ import annotations

import json as _json
import os as _os
from typing import Any as _Any

from . import _core, nn as _nn


def save(
    path: str | _os.PathLike[str], what: _Any, *, preprocessing: _Any = None, training: dict[str, _Any] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes a safetensors file: of a module, a TableModel, or a dict of arrays by name.

    A module's file holds its parameters, buffers and description, so load() can build it again where it is made of this
    library's layers; it opens in the shell and in C++ too.

    preprocessing: a data.Preprocessing or data.PicturePreprocessing that goes with a module: then `pellucid predict` and
        `evaluate` take the file. training: a dict of how it was trained.
    metadata: a dict of texts beside the arrays of a dict.
    """
    if isinstance(what, _core.TableModel):
        return what.save(path)
    if not _core._is_module(what):
        if not isinstance(what, dict):
            raise TypeError(f"save: a {type(what).__name__} is no module, TableModel or dict of arrays")
        return _core.io.write_safetensors(path, what, metadata or {})
    arrays = {name: value for name, value in what.state_dict().items()}
    return _core.io.save_model(
        path, arrays, _core._describe(what), "{}" if preprocessing is None else preprocessing.to_json(),
        _json.dumps(training or {}),
    )


def load(path: str | _os.PathLike[str], into: _nn.Layer | _nn.Module | None = None) -> _Any:
    """What a safetensors file holds: a dict of arrays by name; of a model a module; of one on tables a TableModel.

    into: a module that gets the file's arrays by their names, and is returned: for networks of your own classes.
    Metadata and the parts of a model are in pl.io.read_safetensors and pl.io.load_model.
    """
    arrays, metadata = _core.io.read_safetensors(path)
    if into is not None:
        return into.load_state_dict(arrays)
    if metadata.get("format") != "pellucid":
        return arrays
    model = _core.io.load_model(path)
    if "features" in _json.loads(model.preprocessing):
        return _core.TableModel.load(path)
    try:
        network = _nn.build(model.network)
    except ValueError as error:
        raise ValueError(f"load: '{path}': {error}; give a module of that class: load(path, into=module)") from None
    return network.load_state_dict(arrays)
