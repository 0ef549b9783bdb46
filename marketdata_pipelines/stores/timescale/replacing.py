"""Replacing a partition's base bars inside one transaction: what differs is written, what is equal stays untouched.

Everything here runs in the caller's transaction, which holds the partition's lock (see `publishing`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.session_clock import ClockSegment, SessionClock
from marketdata_pipelines.stores.timescale.base_rows import COLUMNS, PreparedBars, SeriesRows, arrange_rows
from marketdata_pipelines.stores.timescale.chunks import Chunk, empty_chunks, list_chunks, make_chunks
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.feed_layout import FeedLayout
from marketdata_pipelines.stores.timescale.ledger import checksum_of
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import BARS, Window, feed_rollups, replace_buckets
from marketdata_pipelines.stores.timescale.series import series_of_symbols, take_series
from marketdata_pipelines.stores.timescale.templates import statement

# From this share of a chunk's rows on, writing the chunk anew is quicker than deleting and leaves no dead rows.
_SHARE_TO_REWRITE = 0.2
# So many series tell whether a partition is replaced by something else altogether.
_SAMPLED_SERIES = 8
_NOT_DIGESTED = ""
_CLOCK = pa.schema(
    [
        ("feed", pa.string()),
        ("session_date", pa.date32()),
        ("segment", pa.int16()),
        ("regular", pa.bool_()),
        ("clock_start", pa.timestamp("us")),
        ("clock_end", pa.timestamp("us")),
        ("ts_start", pa.timestamp("us", tz="UTC")),
        ("ts_end", pa.timestamp("us", tz="UTC")),
    ]
)

Digests = Mapping[int, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a partition: its rows, symbols and checksum now, and how many rows were written or removed."""

    rows: int
    symbols: int
    checksum: str
    written: int
    removed: int

    @property
    def changed(self) -> bool:
        return self.written + self.removed > 0


def replace_bars(
    connection: Connection,
    feed: Feed,
    layout: FeedLayout,
    window: Window,
    prepared: PreparedBars,
    *,
    is_timescale: bool,
    only: Collection[str] | None = None,
) -> Replaced:
    """Make the partition's rows those of `prepared`; with `only`, the rows of these symbols, and leave the others."""
    in_ticks = layout.numbers == "ticks"
    series = take_series(connection, layout, prepared)
    rows = arrange_rows(prepared, series, in_ticks=in_ticks)
    if only is None:
        there = _there(connection, feed.name, layout, window, rows)
    else:
        there = stored_digests(connection, feed.name, layout, window)
    replaceable = there if only is None else _of_symbols(connection, feed.name, there, only)
    # Where nothing is, everything is written, whatever its digest: it is made meanwhile.
    changed = [one for one in rows.spans if one not in there or there[one] != rows.digests[one]]
    gone = [one for one in replaceable if one not in rows.spans]
    kept = {one: digest for one, digest in there.items() if one not in replaceable}
    if changed or gone:
        write = _Writing(connection, feed, layout, window, is_timescale=is_timescale)
        write.replace(rows, there, changed, gone, whole=not kept)
    names = {one.series_id: symbol for one, symbol in zip(series, prepared.symbols, strict=True)}
    names |= _names(connection, kept)
    digests = {**kept, **rows.digests}
    return Replaced(
        rows=sum(count for count, _ in digests.values()),
        symbols=len({names[one] for one in digests}),
        checksum=checksum_of((names[one], *digest) for one, digest in digests.items()),
        written=rows.count(changed),
        removed=sum(there[one][0] for one in gone),
    )


def remove_bars(connection: Connection, feed: Feed, layout: FeedLayout, window: Window, *, is_timescale: bool) -> int:
    """Take every row of the partition out; how many there were."""
    there = stored_digests(connection, feed.name, layout, window)
    if there:
        _Writing(connection, feed, layout, window, is_timescale=is_timescale).remove(there)
    return sum(count for count, _ in there.values())


def stored_digests(
    connection: Connection, feed_name: str, layout: FeedLayout, window: Window, series: Sequence[int] | None = None
) -> Digests:
    """The count and MD5 of the rows of a window, made by the server: of some series, or of all (None)."""
    first, last = window.bounds
    query = statement("postgres", "select_series_digests", schema=sql.Identifier(feed_name), unknown=layout.unknown)
    values = {"first": first, "last": last, "series": None if series is None else list(series)}
    return {one: (count, digest) for one, count, digest in connection.execute(query, values).fetchall()}


def _there(connection: Connection, feed_name: str, layout: FeedLayout, window: Window, rows: SeriesRows) -> Digests:
    """What is stored of a window that is to hold `rows` alone.

    Where every one of a few series differs, so will most: they are counted then and not digested, and all written.
    """
    few = list(rows.spans)[:: max(len(rows.spans) // _SAMPLED_SERIES, 1)]
    if len(rows.spans) > 4 * _SAMPLED_SERIES:
        sampled = stored_digests(connection, feed_name, layout, window, few)
        if all(sampled.get(one) != rows.digests[one] for one in few if one in sampled):
            first, last = window.bounds
            query = statement("postgres", "select_series_counts", schema=sql.Identifier(feed_name))
            found = connection.execute(query, {"first": first, "last": last}).fetchall()
            return {one: (count, _NOT_DIGESTED) for one, count in found}
    return stored_digests(connection, feed_name, layout, window)


def replace_clock(connection: Connection, feed: Feed, window: Window, clock: SessionClock) -> None:
    """Keep the session clock of the partition's sessions, where it is not so already."""
    segments = [segment for segment in clock.segments if window.first <= segment.session_date < window.last]
    wanted = _clock_rows(feed, segments)
    there = connection.execute(
        "select feed, session_date, segment, regular, clock_start, clock_end, ts_start, ts_end"
        " from marketdata.session_clock where feed = %s and session_date >= %s and session_date < %s"
        " order by session_date, segment",
        [feed.name, window.first, window.last],
    ).fetchall()
    if there == [tuple(row.values()) for row in wanted.to_pylist()]:
        return
    connection.execute(
        "delete from marketdata.session_clock where feed = %s and session_date >= %s and session_date < %s",
        [feed.name, window.first, window.last],
    )
    copy_into(connection, "marketdata", "session_clock", _CLOCK.names, wanted)


class _Writing:
    """Writes one partition's rows in the connection's transaction."""

    def __init__(
        self, connection: Connection, feed: Feed, layout: FeedLayout, window: Window, *, is_timescale: bool
    ) -> None:
        self._connection, self._feed, self._layout, self._window = connection, feed, layout, window
        self._is_timescale = is_timescale

    def replace(self, rows: SeriesRows, there: Digests, changed: list[int], gone: list[int], *, whole: bool) -> None:
        """Write the series in `changed`, remove those in `gone`; `whole`: no other series stays in the window."""
        touched = [one for one in (*changed, *gone) if one in there]
        if touched and self._take_out(touched, there, whole=whole):
            changed = list(rows.spans)
        if changed:
            self._copy(rows.of(changed))
            if rows.count(changed) >= _SHARE_TO_REWRITE * sum(count for count, _ in there.values()):
                self._count()
        self._roll_up(None if whole and len(changed) == len(rows.spans) else [*changed, *gone])

    def remove(self, there: Digests) -> None:
        """Remove every row of the window."""
        self._take_out(list(there), there, whole=True)
        self._roll_up(None)

    def _take_out(self, series: list[int], there: Digests, *, whole: bool) -> bool:
        """Remove the rows of some series; true where those of all others went with them."""
        chunks = [chunk for chunk in self._chunks() if chunk.touches(self._window)]
        is_most = sum(there[one][0] for one in series) >= _SHARE_TO_REWRITE * sum(count for count, _ in there.values())
        if whole and is_most and all(chunk.lies_in(self._window) for chunk in chunks):
            empty_chunks(self._connection, chunks)
            return True
        self._delete(series)
        return False

    def _roll_up(self, series: list[int] | None) -> None:
        if not self._is_timescale and feed_rollups(self._feed):
            replace_buckets(self._connection, self._feed, self._layout.number_type, self._window, series)

    def _chunks(self) -> list[Chunk]:
        return list_chunks(self._connection, self._feed.name, is_timescale=self._is_timescale)

    def _copy(self, table: pa.Table) -> None:
        if not self._is_timescale:
            make_chunks(self._connection, self._feed.name, self._layout.chunk_days, self._window)
        copy_into(self._connection, self._feed.name, BARS, COLUMNS, table)

    def _count(self) -> None:
        """Let the planner know the new rows: rollups of a chunk it knows nothing of take five times as long."""
        # A sample of 3,000 rows: how many rows and series there are is all that is asked of it.
        self._connection.execute("set local default_statistics_target = 10")
        self._connection.execute("analyze marketdata.series")
        for chunk in self._chunks():
            if chunk.touches(self._window):
                self._connection.execute(sql.SQL("analyze {} (series_id, st)").format(chunk.identifier))

    def _delete(self, series: list[int]) -> None:
        if self._is_timescale:
            # A correction of compressed bars decompresses what it touches, however much that is.
            self._connection.execute("set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        first, last = self._window.bounds
        query = statement(
            "postgres", "delete_buckets", schema=sql.Identifier(self._feed.name), table=sql.Identifier(BARS)
        )
        self._connection.execute(query, {"first": first, "last": last, "series": series})


def _of_symbols(connection: Connection, feed_name: str, there: Digests, symbols: Collection[str]) -> Digests:
    known = series_of_symbols(connection, feed_name, sorted(symbols))
    return {one: digest for one, digest in there.items() if one in known}


def _names(connection: Connection, series: Collection[int]) -> dict[int, str]:
    if not series:
        return {}
    rows = connection.execute(
        "select series_id, symbol from marketdata.series where series_id = any(%s)", [list(series)]
    ).fetchall()
    return dict(rows)


def _clock_rows(feed: Feed, segments: list[ClockSegment]) -> pa.Table:
    columns = [
        pa.array([feed.name] * len(segments), pa.string()),
        pa.array([segment.session_date for segment in segments], pa.date32()),
        pa.array([segment.segment for segment in segments], pa.int16()),
        pa.array([segment.regular for segment in segments], pa.bool_()),
        *(
            pa.array([getattr(segment, name) for segment in segments], pa.int64()).cast(_CLOCK.field(name[:-3]).type)
            for name in ("clock_start_us", "clock_end_us", "ts_start_us", "ts_end_us")
        ),
    ]
    return pa.Table.from_arrays(columns, schema=_CLOCK)
