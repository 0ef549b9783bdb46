"""Reads how long values are kept in Redis: `7d` for all, or with other times by table, as in `7d, bars_5m=2d`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DURATION = re.compile(r"([1-9][0-9]{0,4})(m|h|d)").fullmatch
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_LONGEST_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class RedisTtl:
    """For how many seconds values are kept: of a table that is named, else of any."""

    default_seconds: int
    by_table: Mapping[str, int]


def read_ttl(text: str) -> RedisTtl:
    """The times a text gives.

    Errors: ValueError saying what is allowed.
    """
    default: list[int] = []
    by_table: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, parted, duration = (each.strip() for each in part.rpartition("="))
        if not parted:
            default.append(_seconds(duration))
        elif name not in kept_tables():
            raise ValueError(f"{name!r} is no table that is kept; there are: {', '.join(kept_tables())}")
        elif name in by_table:
            raise ValueError(f"{name} is named twice")
        else:
            by_table[name] = _seconds(duration)
    if len(default) != 1:
        raise ValueError("give one time for all tables and others by name, like 7d or 7d, bars_5m=2d")
    return RedisTtl(default[0], by_table)


def kept_tables() -> tuple[str, ...]:
    """The tables that may be kept in Redis: bars of every timeframe, and views."""
    # Every process reads its settings, but hardly any names tables in them, which takes Arrow with it.
    from marketdata_pipelines.domain.intervals import TIMEFRAMES, table_name
    from marketdata_pipelines.domain.tables import VALIDATED_BARS, VIEWS

    return (VALIDATED_BARS, *(table_name(timeframe) for timeframe in TIMEFRAMES), *VIEWS)


def _seconds(text: str) -> int:
    found = _DURATION(text)
    seconds = 0 if found is None else int(found.group(1)) * _UNIT_SECONDS[found.group(2)]
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is no time that values can be kept; give one from 1m to 366d, like 30m, 12h or 7d")
    return seconds
