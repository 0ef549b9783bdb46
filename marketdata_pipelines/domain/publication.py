"""A feed's `publish` as a plain record: which stores it goes to, how long they keep it, how often views are renewed.

Which tables and assets that means is in `store_tables`.
"""

from dataclasses import dataclass

# The views a store has for dashboards, and how often they are brought up to date.
REFRESH_MINUTES = (("daily_summary", 60), ("hourly_volume", 15), ("symbol_performance", 30), ("top_volume", 5))


@dataclass(frozen=True, slots=True)
class Publication:
    """What is done for a feed wherever a store is configured.

    `compress_after_days`: days behind the newest session after which a store that can compresses its rows; None:
    never. `keep_days`: days behind the newest session after which a store drops rows; None: it keeps all. The lake
    keeps everything. A view of cadence 0 is not refreshed by itself; `view_days` is the range, up to the
    newest session, that views are made of.
    """

    timescale: bool = True
    redis: bool = True
    compress_after_days: int | None = 7
    keep_days: int | None = None
    view_days: int = 90
    refresh_minutes: tuple[tuple[str, int], ...] = REFRESH_MINUTES
