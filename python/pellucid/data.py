"""From tables and pictures to what a network takes: columns become numbers by rules fitted on training rows alone.

    table = pl.io.read_csv("houses.csv")                       # or pl.data.Table({"rooms": [3, 4], "town": ["a", None]})
    target = pl.data.fit_target(table, "price")
    training, held_out = pl.data.split(len(table), 0.2, seed=0)
    preprocessing = pl.data.fit_preprocessing(table, target, training)
    x, y = preprocessing.encode(table, training), pl.data.encode_target(target, table, training)

pl.fit_table does all of this, and trains.
"""

import json as _json
from typing import Any as _Any

from ._core.data import *  # noqa: F403
from ._core.data import _find_breach, _find_schema


def find_schema(table: _Any, target: str = "") -> dict[str, _Any]:
    """What each column of a table is, may hold and is for, as a dict: fit_table takes it, `json.dumps` writes it.

    {"column": [{"name": "age", "type": "whole number", "role": "input", "range": [17, 90], ...}, ...]}; docs/tables.md has
    the keys. Identifiers and constants get the role "ignore", the target "target", all others "input".
    """
    found: dict[str, _Any] = _json.loads(_find_schema(table, target))
    return found


def find_breach(schema: dict[str, _Any] | str, table: _Any) -> tuple[int, str, str] | None:
    """The first value of a table that a schema refuses, as (row, column, what is wrong), or None."""
    return _find_breach(schema if isinstance(schema, str) else _json.dumps(schema), table)


__all__ = [n for n in globals() if not n.startswith("_")]
