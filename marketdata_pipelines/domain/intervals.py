"""Bar intervals and the timeframes a feed's bars are aggregated to.

An interval is a fixed width (`1s` … `2d`, `1w`) or a calendar month (`1M`). Where a bucket starts
is not decided here (see `aggregation`): this file knows widths and names only.
"""

import re
from dataclasses import dataclass

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_UNIT_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}
_PATTERN = re.compile(r"^([1-9][0-9]{0,3})(s|m|h|d|w|M)$")


@dataclass(frozen=True, slots=True)
class Interval:
    """A bar width.

    Units: `us` is the width in microseconds; 0 for calendar months, which have none.
    """

    name: str
    us: int

    @property
    def is_month(self) -> bool:
        return self.us == 0

    @property
    def is_intraday(self) -> bool:
        return 0 < self.us < DAY_US

    def __str__(self) -> str:
        return self.name


def parse_interval(text: str) -> Interval:
    """Read `1s`, `5m`, `1h`, `1d`, `1w` or `1M` (capital M: months).

    Errors: ValueError for any other form.
    """
    match = _PATTERN.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no interval; give one like 1s, 1m, 15m, 1h, 1d, 1w or 1M")
    count, unit = int(match.group(1)), match.group(2)
    if unit == "M":
        if count != 1:
            raise ValueError(f"{text!r}: the only interval in months is 1M")
        return Interval("1M", 0)
    return Interval(f"{count}{unit}", count * _UNIT_US[unit])


INTRADAY = ("1s", "1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h")
DAILY = ("1d", "2d")
WEEKLY = ("1w",)
MONTHLY = ("1M",)
TIMEFRAMES = INTRADAY + DAILY + WEEKLY + MONTHLY


def coarser_timeframes(base: Interval, names: tuple[str, ...] = TIMEFRAMES) -> tuple[str, ...]:
    """The timeframes that bars of `base` can be combined into without splitting a bar."""
    if base.is_month:
        return ()
    found = []
    for name in names:
        width = parse_interval(name).us
        # Months are made of whole days, so anything up to a day divides them; weeks do not.
        divides = base.us <= DAY_US if width == 0 else width > base.us and width % base.us == 0
        if divides:
            found.append(name)
    return tuple(found)


def table_name(timeframe: str) -> str:
    """The lake's table for a timeframe: `bars_5m`; the month is `bars_1mo` (file systems fold case)."""
    return f"bars_{'1mo' if timeframe == '1M' else timeframe}"
