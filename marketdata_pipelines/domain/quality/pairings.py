"""How a feed can be compared with another one: by bars of which timeframe, from which tables, under which rule.

The comparing of bars is in `comparing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.quality.disputes import DAILY_DIFFERS, SOURCE_DISPUTE
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import SettingsInvalid

_DAILY = "1d"
_ALWAYS_OPEN = "24/7"


@dataclass(frozen=True, slots=True)
class Pairing:
    """The other feed, the timeframe of the bars compared, the tables of both sides, and the rule for what differs."""

    other: Feed
    timeframe: str
    own_table: str
    other_table: str
    rule: str


def pairings_of(feed: Feed, feeds: Mapping[str, Feed]) -> list[Pairing]:
    """How a feed is compared with each of those it names under `quality: compare_with`.

    Bars of one interval are compared one by one, all others by the daily bars of both.

    Errors: SettingsInvalid for a name that is no feed, the feed itself, or a feed whose bars cannot be compared.
    """
    return [_pairing(feed, name, feeds) for name in dict.fromkeys(feed.quality.compare_with)]


def daily_table(feed: Feed) -> str | None:
    """The table of a feed's 1d bars; None where it has none."""
    if feed.interval.name == _DAILY:
        return VALIDATED_BARS
    return table_name(_DAILY) if _DAILY in feed.timeframes else None


def _pairing(feed: Feed, name: str, feeds: Mapping[str, Feed]) -> Pairing:
    where = f"{feed.name}: quality: compare_with: {name!r}"
    if name == feed.name or name not in feeds:
        known = ", ".join(sorted(set(feeds) - {feed.name})) or "none yet"
        raise SettingsInvalid(f"{where} is no other feed; there: {known}")
    other = feeds[name]
    same_days = feed.anchor is other.anchor or feed.calendar.name == other.calendar.name == _ALWAYS_OPEN
    if feed.interval == other.interval and (feed.interval.is_intraday or same_days):
        return Pairing(other, feed.interval.name, VALIDATED_BARS, VALIDATED_BARS, SOURCE_DISPUTE)
    own_table, other_table = daily_table(feed), daily_table(other)
    if own_table is None or other_table is None or not same_days:
        raise SettingsInvalid(
            f"{where} cannot be compared: {feed.name} has {feed.interval} bars on {feed.anchor} days, {name} "
            f"{other.interval} bars on {other.anchor} days; name a feed of the same interval, or one with daily bars "
            "on the same days"
        )
    return Pairing(other, _DAILY, own_table, other_table, DAILY_DIFFERS)
