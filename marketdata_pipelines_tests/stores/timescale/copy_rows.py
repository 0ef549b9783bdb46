"""Tables of every type that is copied, for tests of binary COPY; nothing here asserts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
from hypothesis import strategies as st
from psycopg import sql

# By column: Arrow's type, PostgreSQL's, and values.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
COLUMNS: dict[str, tuple[pa.DataType, str, st.SearchStrategy[Any]]] = {
    "small": (pa.int16(), "smallint", st.integers(-(2**15), 2**15 - 1)),
    "whole": (pa.int32(), "integer", st.integers(-(2**31), 2**31 - 1)),
    "big": (pa.int64(), "bigint", st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float32(), "real", st.floats(allow_nan=False, allow_infinity=False, width=32)),
    "double": (pa.float64(), "double precision", st.floats(allow_nan=False, allow_infinity=False)),
    "truth": (pa.bool_(), "boolean", st.booleans()),
    "day": (pa.date32(), "date", st.dates()),
    "clock": (pa.timestamp("us"), "timestamp", _MOMENTS),
    "instant": (pa.timestamp("us", tz="UTC"), "timestamptz", _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
    "text": (pa.string(), "text", TEXTS),
    "code": (pa.dictionary(pa.int32(), pa.string()), "text", st.sampled_from(["SPY", "BRK.B", "", "ЙЦ", "a\"b'c\\"])),
}
SCHEMA = pa.schema([(name, arrow) for name, (arrow, _, _) in COLUMNS.items()])


@st.composite
def copied_tables(draw: st.DrawFn, most: int = 12) -> pa.Table:
    """Rows with nulls anywhere: in no row, in some or in all, by column; in one chunk or in several."""
    rows = draw(st.integers(0, most))
    columns = {}
    for name, (arrow, _, values) in COLUMNS.items():
        nulls = draw(st.sampled_from(["none", "some", "all"]))
        each = {"none": values, "some": st.none() | values, "all": st.none()}[nulls]
        columns[name] = pa.array(draw(st.lists(each, min_size=rows, max_size=rows)), arrow)
    table = pa.table(columns, schema=SCHEMA)
    cut = draw(st.integers(0, rows))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)]) if draw(st.booleans()) else table


def date_rows(days: list[int]) -> pa.Table:
    """A table of one column of dates, given in days since 1970."""
    return pa.table({"day": pa.array(days, pa.int32()).view(pa.date32())})


@contextmanager
def made_table(url: str, name: str = "copied") -> Iterator[psycopg.Connection[Any]]:
    """A connection in whose transaction there is a table of every column."""
    with psycopg.connect(url) as connection:
        columns = [sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(kind)) for c, (_, kind, _) in COLUMNS.items()]
        connection.execute(sql.SQL("create table {} ({})").format(sql.Identifier(name), sql.SQL(", ").join(columns)))
        yield connection
        connection.rollback()
