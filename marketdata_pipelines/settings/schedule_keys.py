"""Reads the `schedule` part of a feed: delays after the close, cadences of views, whether it runs by itself.

What these mean is in `domain.schedules` and `domain.due`.
"""

import re

from marketdata_pipelines.domain.feeds import SourceKind
from marketdata_pipelines.domain.schedules import CADENCES_MINUTES, VIEW_MINUTES, Schedule
from marketdata_pipelines.settings.nodes import Node

_KEYS = ("after_close", "late_after", "views", "enabled", "catch_up")
_DURATION = re.compile(r"^(0|[1-9][0-9]{0,4})(m|h|d)$")
_UNIT_MINUTES = {"m": 1, "h": 60, "d": 1440}
_LONGEST_MINUTES = 7 * 1440
_MOST_SESSIONS = 1000
_OFF = ("off", "false", "no", "none", "0", "0m")


def read_schedule(node: Node, kind: SourceKind) -> Schedule:
    """A feed's schedule; `schedule: {}` is every default.

    Errors: SettingsInvalid naming line, key and what is allowed.
    """
    node.check_keys(_KEYS)
    if kind is SourceKind.SAMPLE:
        raise node.fail("is of no use here: the data of a source of kind sample never changes; leave it out")
    default = Schedule()
    after_close, late_after, catch_up = node.get("after_close"), node.get("late_after"), node.get("catch_up")
    views, enabled = node.get("views"), node.get("enabled")
    schedule = Schedule(
        after_close_minutes=default.after_close_minutes if after_close is None else after_close.read(_duration),
        late_after_minutes=default.late_after_minutes if late_after is None else late_after.read(_duration),
        view_minutes=default.view_minutes if views is None else _views(views),
        enabled=default.enabled if enabled is None else enabled.flag(),
        catch_up_sessions=default.catch_up_sessions if catch_up is None else catch_up.read(_sessions),
    )
    if schedule.late_after_minutes <= schedule.after_close_minutes:
        raise (late_after or after_close or node).fail(
            f"does not fit: late_after ({_text(schedule.late_after_minutes)}) must be longer than after_close "
            f"({_text(schedule.after_close_minutes)}), as data cannot be late before it is asked for"
        )
    return schedule


def _views(node: Node) -> tuple[tuple[str, int], ...]:
    """The defaults with what is given in their place."""
    minutes = dict(VIEW_MINUTES)
    node.check_keys(tuple(minutes))
    for name, value in node.items():
        minutes[name] = value.read(_cadence)
    return tuple(minutes.items())


def _cadence(text: str) -> int:
    if text.lower() in _OFF:
        return 0
    allowed = ", ".join(_text(minutes) for minutes in CADENCES_MINUTES)
    try:
        minutes = _duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no cadence; allowed: off, {allowed}") from error
    if minutes not in CADENCES_MINUTES:
        raise ValueError(f"{text!r} does not divide an hour or a day; allowed: off, {allowed}")
    return minutes


def _duration(text: str) -> int:
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration in whole minutes; give one like 0m, 15m, 2h or 1d")
    minutes = int(match.group(1)) * _UNIT_MINUTES[match.group(2)]
    if minutes > _LONGEST_MINUTES:
        raise ValueError(f"{text!r} is longer than a week; give one like 0m, 15m, 2h or 1d")
    return minutes


def _sessions(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= _MOST_SESSIONS:
        raise ValueError(f"{text!r} is no number of sessions; give a whole number from 1 to {_MOST_SESSIONS}")
    return int(text)


def _text(minutes: int) -> str:
    return f"{minutes // 60}h" if minutes and minutes % 60 == 0 else f"{minutes}m"
