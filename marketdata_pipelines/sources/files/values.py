"""Columns of Python values, as JSON and Excel give them, made into Arrow columns and sample text."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from marketdata_pipelines.sources.files.arrays import Column, one_array
from marketdata_pipelines.sources.files.numbers import as_text

_INT64 = 1 << 63


def value_text(value: Any) -> str | None:
    """A value as the text that stands for it; None for none. Lists are joined by `;`."""
    if value is None:
        return None
    if isinstance(value, str):
        return sound_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return ";".join(text for item in value if (text := value_text(item)) is not None)
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)


def sound_text(text: str) -> str:
    """The text with what cannot be encoded replaced: half of a surrogate pair can be written in JSON."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def value_column(values: Sequence[Any]) -> Column:
    """Numbers as int64 or float64 where all are numbers (or none), else everything as text."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds and kinds <= {int, float}:
        if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
            return pa.array(values, pa.int64())
        try:
            return pa.array(
                [None if value is None else float(value) for value in values], pa.float64(), from_pandas=False
            )
        except OverflowError:
            pass
    return pa.array([value_text(value) for value in values], pa.string())


def _number_text(value: float) -> str:
    try:
        return repr(value)
    except ValueError:
        # An integer of more than 4,300 digits.
        return "inf" if value > 0 else "-inf"


def join_columns(parts: Sequence[Column]) -> Column:
    """Parts of one column as one: of their own type where they share it, numbers as float64, else text."""
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if not kinds:
        return pa.nulls(sum(len(part) for part in parts))
    if len(kinds) == 1:
        kind = kinds.pop()
    elif all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        kind = pa.float64()
    else:
        kind, parts = pa.string(), [as_text(part) for part in parts]
    return one_array(pa.chunked_array([part if part.type == kind else part.cast(kind, safe=False) for part in parts]))
