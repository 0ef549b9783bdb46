"""Which raw parts of a feed may lose their files: those of which nothing has counted for longer than its policy says.

Nothing of a part counts where its content was read again later, where a later pull covers what a vendor said of a
running session, or where every row of it was replaced. The ledger keeps its entry; what was known before cannot be
answered any more, and says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, period_of
from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.domain.tables import RAW_BARS
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.validate import LoadedPart, decide_rows
from marketdata_pipelines.stores.lake.catalog import Ingest, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.removals import Removal

_DAY_US = 86_400_000_000
_REPLACED = rule_bit("superseded") | rule_bit("deleted")


@dataclass(frozen=True, slots=True)
class Superseded:
    """The raw part of ingest `seq`: nothing of it counts while the ingests numbered `superseders` do; and since when,
    UTC microseconds."""

    partition: str
    table: str
    path: str
    seq: int
    rows: int
    bytes: int
    since_us: int
    superseders: tuple[int, ...]


def remove_superseded(lake: Lake, feed: Feed, *, now_us: int, dry_run: bool = False) -> list[Superseded]:
    """Remove the files the feed's policy lets go; returns the raw parts.

    Errors: SettingsInvalid when the feed declares no policy.
    """
    days = feed.keep.superseded_raw_days
    if days is None:
        raise SettingsInvalid(
            f"{feed.name} keeps every raw part; to let superseded ones go, add to it in feeds.yaml: "
            "keep: {superseded_raw: 365d}"
        )
    with lake.writing(feed.name):
        found = [part for part in superseded_parts(lake, feed) if part.since_us <= now_us - days * _DAY_US]
        if not dry_run:
            # Noted before they go; what was noted by one that was killed then goes now.
            lake.catalog.removals.record(feed.name, [Removal(p.path, p.seq, now_us, p.superseders) for p in found])
            needed = {part.part.path for part in lake.catalog.standing_parts(feed.name)}
            for path in set(lake.catalog.removals.of(feed.name)) - needed:
                (lake.layout.root / path).unlink(missing_ok=True)
    return found


def superseded_parts(lake: Lake, feed: Feed) -> Iterator[Superseded]:
    """The raw parts of which nothing counts any more and whose files are there, by partition."""
    removed = {(removal.path, removal.seq) for removal in lake.catalog.removals.every(feed.name)}
    ingests = lake.catalog.ingests(feed.name)
    for partition in lake.catalog.raw_partitions(feed.name):
        accepted, _ = lake.catalog.accepted_parts(feed.name, partition)
        standing = lake.catalog.standing_parts(feed.name, [partition])
        counting = {part.part.path for part in standing}
        gone = [(part, _outlived_by(ingests, part.ingest)) for part in accepted if part.part.path not in counting]
        gone += _replaced(lake, feed, partition, standing)
        for part, superseders in gone:
            path = lake.layout.root / part.part.path
            if (part.part.path, part.ingest.seq) in removed or not superseders or not path.exists():
                continue
            since_us = max(ingest.known_at_us for ingest in superseders)
            numbers = tuple(sorted(ingest.seq for ingest in superseders))
            own, size = part.part, path.stat().st_size
            yield Superseded(partition, own.tbl, own.path, part.ingest.seq, own.rows, size, since_us, numbers)


def _outlived_by(ingests: Sequence[Ingest], own: Ingest) -> list[Ingest]:
    """The ingest since which a part that does not stand has not stood."""
    later = [i for i in ingests if i.sha256 == own.sha256 and i.seq > own.seq] or [
        i for i in ingests if _covers(i, own)
    ]
    return [min(later, key=lambda ingest: ingest.known_at_us)] if later else []


def _covers(later: Ingest, earlier: Ingest) -> bool:
    """Whether a later complete answer speaks for everything an earlier one was asked."""
    after = (later.known_at_us, later.seq) > (earlier.known_at_us, earlier.seq)
    if not after or later.status != "accepted" or later.pulled is None or earlier.pulled is None:
        return False
    return later.pulled.complete and later.pulled.covers(earlier.pulled)


def _replaced(
    lake: Lake, feed: Feed, partition: str, standing: Sequence[StandingPart]
) -> list[tuple[StandingPart, list[Ingest]]]:
    """Standing parts whose every row was replaced, with the ingests it took."""
    bars = all(part.part.tbl == RAW_BARS for part in standing)
    if len(standing) < 2 or not bars or not is_partition_key(partition, period_of(feed.partition)):
        return []
    try:
        parts = [LoadedPart(part, lake.read_part(feed.name, part.part)) for part in standing]
    except PartitionMissing:
        # What is lost is for `verify` to say; a partition that is not whole lets nothing go.
        return []
    grid = CoarseBars(lake, feed).grid(partition)
    dead: dict[int, int] = {}
    for until in range(1, len(parts)):
        decided = decide_rows(feed, grid, parts[: until + 1])
        for at in range(until):
            own = decided.mask[decided.source == at]
            if at not in dead and len(own) and bool(np.all(own & _REPLACED)):
                dead[at] = until
    ends = {at: _end_of_say(standing, at, until) for at, until in dead.items()}
    return [
        (standing[at], [part.ingest for part in standing[at + 1 : end + 1]])
        for at, end in ends.items()
        if end is not None
    ]


def _end_of_say(standing: Sequence[StandingPart], at: int, until: int) -> int | None:
    """The part with which one whose rows are replaced has no say any more; None while it has.

    What it deleted, by leaving it out, a later one must delete too.
    """
    own = standing[at].ingest
    if own.mode != IngestMode.REPLACE_WINDOW:
        return until
    covering = (position for position in range(at + 1, len(standing)) if _speaks_for(standing[position].ingest, own))
    first = next(covering, None)
    return None if first is None else max(first, until)


def _speaks_for(later: Ingest, earlier: Ingest) -> bool:
    if later.mode != IngestMode.REPLACE_WINDOW:
        return False
    if earlier.pulled is not None or later.pulled is not None:
        return _covers(later, earlier)
    spans = (later.first_ts_us, earlier.first_ts_us, earlier.last_ts_us, later.last_ts_us)
    return None not in spans and list(spans) == sorted(spans, key=lambda instant: instant or 0)
