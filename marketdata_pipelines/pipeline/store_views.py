"""The views a serving store has for dashboards: made of the lake's, replaced whole when what they are made of changed.

How a view's rows are finished is handed in (`ViewRows`): answers are made in `serving`, which this may not import.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import partition_key, partition_span, period_of
from marketdata_pipelines.domain.store_tables import store_views
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake.lake import Lake, digest

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

# The finished rows of a feed's view over session dates, both included.
ViewRows = Callable[[Feed, str, date, date], pa.Table]
# Tables whose rows a view is finished from, where they are not its own.
_SOURCES = {t.HOURLY_VOLUME: t.VALIDATED_BARS, t.SYMBOL_PERFORMANCE: t.DAILY_SUMMARY}


@dataclass(frozen=True, slots=True)
class ViewRange:
    """What a view of the store is to hold: its session dates, both included, and the digest of what it is made of."""

    first: date
    last: date
    inputs: str


@dataclass(frozen=True, slots=True)
class ViewRefreshed:
    """A view that was brought up to date."""

    feed: str
    view: str
    rows: int
    first: date
    last: date
    inputs: str
    seconds: float


def view_range(lake: Lake, feed: Feed, view: str) -> ViewRange | None:
    """The range a view of the store should have now; None while the lake has nothing of it."""
    period = period_of(feed.partition)
    stored = lake.catalog.stored(view, feed.name)
    if not stored:
        return None
    ends = partition_span(stored[-1].partition, period)[1]
    newest = lake.catalog.stored_partition(t.VALIDATED_BARS, feed.name, stored[-1].partition)
    last = ends
    if newest is not None and newest.last_ts_us is not None:
        # A year's partition reaches beyond its last session.
        last = min(ends, datetime.fromtimestamp(newest.last_ts_us / SECOND_US, UTC).date())
    first = last - timedelta(days=feed.publish.view_days)
    keys = (partition_key(first, period), stored[-1].partition)
    names = dict.fromkeys((view, _SOURCES.get(view, view)))
    made_of = [each.inputs for name in names for each in lake.catalog.stored(name, feed.name, *keys)]
    return ViewRange(first, ends, digest([view, first.isoformat(), *made_of]))


def views_behind(lake: Lake, store: "TimescaleStore", feed: Feed, *, everything: bool = False) -> list[str]:
    """The views that the store does not have as the lake gives them now, or `everything` the lake has.

    Those that are not refreshed by themselves are left out.
    """
    refreshed = {} if everything else store.refreshed(feed)
    wanted = {view: view_range(lake, feed, view) for view, minutes in store_views(feed).items() if minutes}
    return [view for view, found in wanted.items() if found is not None and refreshed.get(view) != found.inputs]


def views_missing(lake: Lake, store: "TimescaleStore", feed: Feed) -> dict[str, str]:
    """The views that the store has never had, or lost, with what the lake would make them of.

    Those that are not refreshed by themselves are left out.
    """
    refreshed = store.refreshed(feed)
    wanted = {view: view_range(lake, feed, view) for view, minutes in store_views(feed).items() if minutes}
    return {view: found.inputs for view, found in wanted.items() if found is not None and view not in refreshed}


def refresh_view(lake: Lake, store: "TimescaleStore", feed: Feed, view: str, rows: ViewRows) -> ViewRefreshed:
    """Replace one view of the store in one transaction.

    Errors: PartitionMissing while the lake has nothing of it.
    """
    began = time.monotonic()
    wanted = view_range(lake, feed, view)
    if wanted is None:
        raise PartitionMissing(f"{feed.name} has no {view} yet; run: marketdata backfill {feed.name}")
    table = rows(feed, view, wanted.first, wanted.last)
    store.ensure_feed(feed)
    store.replace_view(feed, view, table, inputs=wanted.inputs)
    return ViewRefreshed(
        feed.name, view, table.num_rows, wanted.first, wanted.last, wanted.inputs, time.monotonic() - began
    )
