"""Columns of Python values, as JSON and Excel give them, made into Arrow columns and sample text."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from marketdata_pipelines.sources.files.arrays import Column

_INT64 = 1 << 63


def value_text(value: Any) -> str | None:
    """A value as the text that stands for it; None for none. Lists are joined by `;`."""
    if value is None or isinstance(value, str):
        return value
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


def value_column(values: Sequence[Any]) -> Column:
    """Numbers as int64 or float64 where all are numbers (or none), else everything as text."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds and kinds <= {int, float}:
        if kinds == {int} and all(value is None or -_INT64 <= value < _INT64 for value in values):
            return pa.array(values, pa.int64())
        try:
            return pa.array(
                [None if value is None else float(value) for value in values], pa.float64(), from_pandas=False
            )
        except OverflowError:
            pass
    # Half of a surrogate pair can be written in JSON and is no text.
    return pa.array([_sound(value_text(value)) for value in values], pa.string())


def _number_text(value: float) -> str:
    try:
        return repr(value)
    except ValueError:
        # An integer of more than 4,300 digits.
        return "inf" if value > 0 else "-inf"


def _sound(text: str | None) -> str | None:
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
