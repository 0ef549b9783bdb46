"""Reads a feed's `publish`: which stores it goes to, for how long, and how often their views are refreshed.

What these mean is in `domain.publication`.
"""

from marketdata_pipelines.domain.publication import REFRESH_MINUTES, Publication
from marketdata_pipelines.domain.schedules import CADENCES_MINUTES
from marketdata_pipelines.settings.nodes import Node

_KEYS = ("timescale", "redis", "compress_after_days", "keep_days", "view_days", "refresh_minutes")
_MOST_DAYS = 36_500
_OFF = ("off", "false", "no", "none", "0")
_NEVER = ("never", "off", "none", "no", "false")


def read_publish(node: Node) -> Publication:
    """A feed's publication; `publish: {}` is every default, and so is leaving it out.

    Errors: SettingsInvalid naming line, key and what is allowed.
    """
    node.check_keys(_KEYS)
    default = Publication()
    timescale, redis = node.get("timescale"), node.get("redis")
    compress, keep = node.get("compress_after_days"), node.get("keep_days")
    views, minutes = node.get("view_days"), node.get("refresh_minutes")
    return Publication(
        timescale=default.timescale if timescale is None else timescale.flag(),
        redis=default.redis if redis is None else redis.flag(),
        compress_after_days=default.compress_after_days if compress is None else compress.read(_days_or_never),
        keep_days=None if keep is None else keep.read(_days),
        view_days=default.view_days if views is None else views.read(_days),
        refresh_minutes=default.refresh_minutes if minutes is None else _cadences(minutes),
    )


def _cadences(node: Node) -> tuple[tuple[str, int], ...]:
    """The defaults with what is given in their place."""
    minutes = dict(REFRESH_MINUTES)
    node.check_keys(tuple(minutes))
    for name, value in node.items():
        minutes[name] = value.read(_cadence)
    return tuple(minutes.items())


def _cadence(text: str) -> int:
    if text.strip().lower() in _OFF:
        return 0
    if not text.strip().isdigit() or int(text) not in CADENCES_MINUTES:
        allowed = ", ".join(map(str, CADENCES_MINUTES))
        raise ValueError(f"{text!r} is no cadence that divides an hour or a day; minutes allowed: off, {allowed}")
    return int(text)


def _days(text: str) -> int:
    if not text.strip().isdigit() or not 1 <= int(text) <= _MOST_DAYS:
        raise ValueError(f"{text!r} is no number of days; give a whole number from 1 to {_MOST_DAYS}")
    return int(text)


def _days_or_never(text: str) -> int | None:
    return None if text.strip().lower() in _NEVER else _days(text)
