"""What to run first where the lake has nothing of a feed, or not yet what its raw parts give; nothing is printed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marketdata_pipelines.domain.feeds import Feed
    from marketdata_pipelines.stores.lake.lake import Lake


def filling_hint(lake: "Lake", feed: "Feed") -> str:
    """A sentence that says how to fill an empty lake; empty where it has something of the feed."""
    from marketdata_pipelines.domain.feeds import SourceKind

    if lake.catalog.stored_inputs(feed.name) or lake.catalog.raw_partitions(feed.name):
        return ""
    first = f"marketdata backfill {feed.name} --start DATE --end DATE"
    if feed.source.kind is SourceKind.FILES:
        first = f"marketdata ingest {feed.name} PATH --materialize"
    return f"{feed.name} has nothing in the lake yet; run: {first}"


def walking_hint(lake: "Lake", feed: "Feed") -> str:
    """A sentence that names the dates whose tables are behind their raw parts; empty where none are."""
    from marketdata_pipelines.domain.partitions import partition_span, period_of
    from marketdata_pipelines.pipeline.changes import stale_partitions

    stale = stale_partitions(lake, feed)
    base = period_of(feed.partition)
    # Weeks and months follow the days they are made of.
    late = {base: stale[base]} if stale.get(base) else stale
    spans = [partition_span(key, period) for period, keys in late.items() for key in keys]
    if not spans:
        return ""
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return (
        f"what was brought of {feed.name} between {first} and {last} is not derived yet, or was by another version; "
        f"run: marketdata backfill {feed.name} --start {first} --end {last}"
    )
