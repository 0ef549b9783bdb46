"""A feed's `schedule` as a plain record: its delays, its views' cadences, and their defaults.

What is due at an instant is not decided here (see `due`).
"""

from dataclasses import dataclass

# Views by name (see `tables.VIEWS`) and how often they are brought up to date while a session runs.
VIEW_MINUTES = (
    ("daily_summary", 60),
    ("hourly_volume", 15),
    ("symbol_performance", 30),
    ("top_volume", 5),
    ("latest_bars", 5),
)
# Cadences that divide an hour, or are whole hours that divide a day: a cron says these exactly.
CADENCES_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a feed is asked for by itself.

    Delays count from a session's close: its data is asked for after `after_close_minutes`, and late after
    `late_after_minutes`. A view of cadence 0 has no schedule. `catch_up_sessions` bounds what one tick asks for.
    """

    after_close_minutes: int = 15
    late_after_minutes: int = 120
    view_minutes: tuple[tuple[str, int], ...] = VIEW_MINUTES
    enabled: bool = True
    catch_up_sessions: int = 30
