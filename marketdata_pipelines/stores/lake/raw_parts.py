"""Reading raw parts, and telling of those that a policy of retention has removed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.lake.ledger import RawPart
from marketdata_pipelines.stores.lake.parquet import is_apart, read_file, row_count
from marketdata_pipelines.stores.lake.removals import Removals


def read_part(
    root: Path, removals: Removals, feed: str, part: RawPart, only: Collection[str] | None = None
) -> pa.Table:
    """The rows of a raw part below a lake's `root`, or those of some symbols.

    Errors: PartitionMissing when its file is not there, saying so where a policy of retention removed it.
    """
    with _removals_told(removals, feed, part):
        return read_file(root / part.path, only=only)


def is_symbol_apart(root: Path, removals: Removals, feed: str, part: RawPart, symbol: str) -> bool:
    """Whether reading the rows of one symbol takes less than reading the whole part. Errors as `read_part`."""
    with _removals_told(removals, feed, part):
        return is_apart(root / part.path, symbol)


def part_rows(root: Path, removals: Removals, feed: str, part: RawPart) -> int:
    """How many rows the file of a raw part has. Errors as `read_part`."""
    with _removals_told(removals, feed, part):
        return row_count(root / part.path)


@contextmanager
def _removals_told(removals: Removals, feed: str, part: RawPart) -> Iterator[None]:
    try:
        yield
    except PartitionMissing as error:
        removal = removals.of(feed).get(part.path)
        if removal is None:
            raise
        day = datetime.fromtimestamp(removal.removed_us / 1e6, UTC).date()
        raise PartitionMissing(
            f"a raw part of {feed} {part.partition} that was superseded later was removed on {day} by the feed's "
            "policy (keep: superseded_raw); what was known before it was superseded cannot be told any more: ask "
            "as of a later instant"
        ) from error
