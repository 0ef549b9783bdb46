"""What Yahoo serves: which intervals, how far back, and how much at once. Yahoo's own limits; it may move them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from marketdata_pipelines.domain.intervals import DAY_US, SECOND_US, Interval, parse_interval
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected


@dataclass(frozen=True, slots=True)
class Reach:
    """How bars of one interval can be had: Yahoo's name of it, how far back, and the longest span of one request."""

    name: str
    kept_days: int | None
    span_days: int


_REACHES = (
    Reach("1m", 30, 7),
    Reach("2m", 60, 60),
    Reach("5m", 60, 60),
    Reach("15m", 60, 60),
    Reach("30m", 60, 60),
    Reach("90m", 60, 60),
    Reach("1h", 730, 730),
    # Decades fit into one answer; ten years keep it small and a kill cheap.
    Reach("1d", None, 3650),
)


def reach_of(interval: Interval) -> Reach:
    """How bars of an interval can be had.

    Errors: SettingsInvalid listing the intervals Yahoo has.
    """
    for reach in _REACHES:
        if not interval.is_month and parse_interval(reach.name).us == interval.us:
            return reach
    offered = ", ".join(reach.name for reach in _REACHES)
    raise SettingsInvalid(f"Yahoo has no bars of {interval} that can be stored; its intervals: {offered}")


def check_reach(reach: Reach, start_us: int, now_us: int) -> None:
    """Errors: SourceRejected when Yahoo keeps these bars no more, naming the limit and the first day it has."""
    if reach.kept_days is None:
        return
    earliest_us = now_us - reach.kept_days * DAY_US
    if start_us >= earliest_us:
        return
    asked, earliest = (datetime.fromtimestamp(us // SECOND_US, UTC) for us in (start_us, earliest_us))
    raise SourceRejected(
        f"Yahoo keeps bars of {reach.name} for {reach.kept_days} days: those from {asked:%Y-%m-%d %H:%MZ} are gone, "
        f"the first to be had are of {earliest:%Y-%m-%d %H:%MZ}; ask from the day after on, or for longer bars",
        rule="out_of_reach",
    )


def spans(reach: Reach, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """The window cut into what one request may ask for."""
    width = reach.span_days * DAY_US
    return [(at, min(at + width, end_us)) for at in range(start_us, end_us, width)]
