"""Stored tables of bars of a session or several: the lake's rows, of which a partition is replaced where it differs."""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime, time

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SchemaMismatch, StoreError
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.ledger import checksum_of
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.replacing import Replaced
from marketdata_pipelines.stores.timescale.rollups import Window

_COLUMNS = AGGREGATE_SCHEMA.names
ROWS = pa.schema([pa.field(field.name, pa.string()) if field.name == "symbol" else field for field in AGGREGATE_SCHEMA])


def coarse_rows(feed: Feed, table: str, window: Window, bars: pa.Table) -> pa.Table:
    """The lake's rows with plain symbols, sorted by (symbol, ts).

    Errors: SchemaMismatch; StoreError for a row labelled outside the partition.
    """
    missing = [name for name in _COLUMNS if name not in bars.column_names]
    if missing:
        raise SchemaMismatch(f"{table} of {feed.name} to publish lacks {', '.join(missing)}; give every column of it")
    rows = bars.select(_COLUMNS).cast(ROWS).combine_chunks()
    first, last = instants(window)
    outside = pc.or_(pc.less(rows["ts"], pa.scalar(first, ROWS.field("ts").type)),
                     pc.greater_equal(rows["ts"], pa.scalar(last, ROWS.field("ts").type)))  # fmt: skip
    if pc.any(outside).as_py():
        found = rows.filter(outside)["ts"][0].as_py()
        raise StoreError(
            f"{table} of {feed.name}: a bar is labelled {found:%Y-%m-%d}, outside the partition {window.first}; "
            "give each partition its own bars"
        )
    return rows.sort_by([("symbol", "ascending"), ("ts", "ascending")])


def read_coarse(connection: Connection, feed: Feed, table: str, window: Window) -> pa.Table:
    """The partition's rows as they stand in the store (ROWS), sorted by (symbol, ts)."""
    query = sql.SQL('select {columns} from {table} where ts >= %s and ts < %s order by symbol collate "C", ts').format(
        columns=_listed(), table=sql.Identifier(feed.name, table)
    )
    return copy_out(connection, query, ROWS, instants(window))


def replace_coarse(connection: Connection, feed: Feed, table: str, window: Window, rows: pa.Table) -> Replaced:
    """Make the partition's rows these, in the caller's transaction; symbols whose rows are equal stay untouched."""
    there = symbol_digests(read_coarse(connection, feed, table, window))
    wanted = symbol_digests(rows)
    changed = [symbol for symbol, digest in wanted.items() if there.get(symbol) != digest]
    gone = [symbol for symbol in there if symbol not in wanted]
    touched = [symbol for symbol in (*changed, *gone) if symbol in there]
    if touched:
        delete_coarse(connection, feed, table, window, touched)
    if changed:
        part = rows.filter(pc.is_in(rows["symbol"], value_set=pa.array(changed, pa.string())))
        copy_into(connection, feed.name, table, _COLUMNS, part)
    return Replaced(
        rows=rows.num_rows,
        symbols=len(wanted),
        checksum=checksum_of((symbol, *digest) for symbol, digest in wanted.items()),
        written=sum(wanted[symbol][0] for symbol in changed),
        removed=sum(there[symbol][0] for symbol in gone),
    )


def delete_coarse(
    connection: Connection, feed: Feed, table: str, window: Window, symbols: Collection[str] | None = None
) -> int:
    """Take rows of a partition out, of some symbols or all; how many."""
    first, last = instants(window)
    query = sql.SQL(
        "delete from {} where ts >= %s and ts < %s and (%s::text[] is null or symbol = any(%s::text[]))"
    ).format(sql.Identifier(feed.name, table))
    names = None if symbols is None else list(symbols)
    return connection.execute(query, [first, last, names, names]).rowcount


def symbol_digests(rows: pa.Table) -> dict[str, tuple[int, str]]:
    """The count and digest of each symbol's rows."""
    digests: dict[str, tuple[int, str]] = {}
    lines: dict[str, list[str]] = {}
    columns = [column.to_pylist() for column in rows.columns]
    for values in zip(*columns, strict=True):
        lines.setdefault(values[0], []).append(repr(values[1:]))
    for symbol, texts in lines.items():
        digest = hashlib.md5("\n".join(texts).encode(), usedforsecurity=False).hexdigest()
        digests[symbol] = (len(texts), digest)
    return digests


def instants(window: Window) -> tuple[datetime, datetime]:
    """The instants [start, end) between which labels of the window's days lie."""
    return datetime.combine(window.first, time(), UTC), datetime.combine(window.last, time(), UTC)


def _listed() -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
