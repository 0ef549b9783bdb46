"""Brings the trades of a feed's bars into a serving store beside them, and checks that both agree.

Up to date is what was made of the bars the lake has: trades and bars are published under the same digest.
"""

from typing import TYPE_CHECKING

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, period_of
from marketdata_pipelines.domain.store_tables import TRADES
from marketdata_pipelines.domain.tables import RAW_TRADES, VALIDATED_BARS
from marketdata_pipelines.pipeline.bar_trades import stored_bar_trades
from marketdata_pipelines.pipeline.publishing import horizon_of, stored_rows
from marketdata_pipelines.pipeline.standing import follows
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
    from marketdata_pipelines.stores.timescale.records import Difference, Published


def trades_behind(lake: Lake, store: "TimescaleStore", feed: Feed) -> dict[str, str]:
    """The base partitions whose trades the store does not have as the lake's bars were made of; with their digest.

    Left out are those whose raw parts are no longer those of the bars: they come when the bars do.
    """
    there = {each.partition: each.inputs for each in lake.catalog.stored(VALIDATED_BARS, feed.name)}
    ledger = store.published(feed.name, TRADES)
    period = period_of(feed.partition)
    found: dict[str, str] = {}
    for key in sorted(there.keys() | ledger.keys()):
        if not is_partition_key(key, period):
            continue
        known = ledger.get(key)
        if key not in there:
            found[key] = "gone"
        elif (known is None or known.inputs != there[key]) and follows(lake, feed, VALIDATED_BARS, key, [key]):
            found[key] = there[key]
    return found


def publish_trades(
    lake: Lake, store: "TimescaleStore", feed: Feed, key: str, run_id: str
) -> "tuple[Published | None, list[Difference]]":
    """Publish the trades of a base partition, and compare: what the store has of it, and what differs.

    What differs although the ledger says it is published is written again. None, and the store as it was, while the
    raw parts are no longer those of the bars; None where the lake has no bars of it, nor the store trades any more.
    """
    found = stored_rows(lake, feed.name, VALIDATED_BARS, key)
    if found is None:
        if key in store.published(feed.name, TRADES):
            store.remove_trades(feed, key)
        return None, []
    stored, bars = found
    trades = stored_bar_trades(lake, feed, key)
    now = lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key)
    if trades is None or now is None or now.inputs != stored.inputs:
        return None, []
    horizon_us = horizon_of(lake, feed, period_of(feed.partition), key)
    done = store.replace_trades(feed, key, trades, stored.inputs, horizon_us, run_id)
    made = bars if _are_all_of_trades(lake, feed, key) else None
    differences = store.compare_trades(feed, key, trades, made)
    if differences and not done.changed:
        done = store.replace_trades(feed, key, trades, stored.inputs, horizon_us, run_id, again=True)
        differences = store.compare_trades(feed, key, trades, made)
    return done, differences


def _are_all_of_trades(lake: Lake, feed: Feed, key: str) -> bool:
    """Whether no part brought bars, of which there are no trades: a feed may have brought bars before."""
    return all(part.part.tbl == RAW_TRADES for part in lake.catalog.standing_parts(feed.name, [key]))
