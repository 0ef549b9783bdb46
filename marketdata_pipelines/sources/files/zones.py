"""Local wall-clock times to UTC and back, vectorised, from the zone database's transitions.

Times are int64 seconds since 1970. Which reading of an hour that occurs twice is right is decided in
`repeated`; here both are given.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from marketdata_pipelines.domain.feeds import CalendarSpec
from marketdata_pipelines.errors import SettingsInvalid

NEW_YORK = "America/New_York"
# Zones of the exchanges whose daily bars vendors stamp with the local midnight or close.
_EXCHANGE_ZONES = {
    "24/7": "UTC",
    "CMES": "America/Chicago",
    "XCBF": "America/Chicago",
    "XTSE": "America/Toronto",
    "XLON": "Europe/London",
    "XETR": "Europe/Berlin",
    "XFRA": "Europe/Berlin",
    "XPAR": "Europe/Paris",
    "XAMS": "Europe/Amsterdam",
    "XSWX": "Europe/Zurich",
    "XMIL": "Europe/Rome",
    "XTKS": "Asia/Tokyo",
    "XHKG": "Asia/Hong_Kong",
    "XSHG": "Asia/Shanghai",
    "XKRX": "Asia/Seoul",
    "XBOM": "Asia/Kolkata",
    "XNSE": "Asia/Kolkata",
    "XASX": "Australia/Sydney",
}


@dataclass(frozen=True, slots=True)
class LocalReading:
    """Wall times as UTC: `first` and `second` differ where the wall time occurred twice (`ambiguous`).

    Where it never occurred (`nonexistent`) both are undefined.
    """

    first: np.ndarray
    second: np.ndarray
    ambiguous: np.ndarray
    nonexistent: np.ndarray


@dataclass(frozen=True, slots=True)
class _Segments:
    """Spans of constant offset: `starts` in UTC, `offsets` in seconds, wall-clock `local_starts`, `local_ends`."""

    starts: np.ndarray
    offsets: np.ndarray
    local_starts: np.ndarray
    local_ends: np.ndarray


def open_zone(name: str) -> ZoneInfo:
    """A zone by its IANA name.

    Errors: SettingsInvalid for an unknown name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsInvalid(
            f"timezone {name!r} is unknown; give an IANA name like America/New_York or UTC"
        ) from error


def exchange_zone(calendar: CalendarSpec) -> str:
    """The zone in which a calendar's trading dates are counted."""
    return _EXCHANGE_ZONES.get(calendar.name, NEW_YORK)


def local_to_utc(wall: np.ndarray, zone: str) -> LocalReading:
    """Read wall-clock seconds in a zone."""
    if zone == "UTC":
        nothing = np.zeros(len(wall), bool)
        return LocalReading(wall, wall, nothing, nothing)
    segments = _segments_around(wall, zone)
    last = np.maximum(np.searchsorted(segments.local_starts, wall, "right") - 1, 0)
    first = np.minimum(np.searchsorted(segments.local_ends, wall, "right"), len(segments.offsets) - 1)
    return LocalReading(wall - segments.offsets[first], wall - segments.offsets[last], first < last, first > last)


def utc_to_local(instants: np.ndarray, zone: str) -> np.ndarray:
    """Wall-clock seconds in a zone of UTC seconds."""
    if zone == "UTC":
        return instants
    segments = _segments_around(instants, zone)
    at = np.maximum(np.searchsorted(segments.starts, instants, "right") - 1, 0)
    shifted: np.ndarray = instants + segments.offsets[at]
    return shifted


def _segments_around(seconds: np.ndarray, zone: str) -> _Segments:
    years = (1970, 1970)
    if len(seconds):
        bounds = (
            np.array([seconds.min(), seconds.max()]).astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
        )
        # One far-off date must not make every year in between be scanned.
        years = (max(int(bounds[0]), 1900), min(max(int(bounds[1]), 1900), 2100))
    return _segments(zone, min(years[0], 2100) // 10 * 10, years[1] // 10 * 10 + 10)


@lru_cache(maxsize=64)
def _segments(zone_name: str, first_year: int, last_year: int) -> _Segments:
    """Transitions of a zone in [first_year - 1, last_year + 1)."""
    zone = open_zone(zone_name)
    day = datetime(first_year - 1, 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC)
    starts, offsets = [-(1 << 45)], [_offset(day, zone)]
    while day < end:
        following = day + timedelta(days=1)
        if _offset(following, zone) != offsets[-1]:
            starts.append(_transition(day, following, zone))
            offsets.append(_offset(following, zone))
        day = following
    edges, shifts = np.array(starts, np.int64), np.array(offsets, np.int64)
    local_ends = np.append(edges[1:] + shifts[:-1], 1 << 45)
    return _Segments(edges, shifts, edges + shifts, local_ends)


def _transition(low: datetime, high: datetime, zone: ZoneInfo) -> int:
    before = _offset(low, zone)
    first, last = int(low.timestamp()), int(high.timestamp())
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == before:
            first = middle
        else:
            last = middle
    return last


def _offset(instant: datetime, zone: ZoneInfo) -> int:
    shift = instant.astimezone(zone).utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0
