"""Which raw rows decided a bar: the same verdicts as the whole partition's."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_grid
from marketdata_pipelines.pipeline.receipts.provenance import SymbolRows
from marketdata_pipelines.pipeline.validate import LoadedPart, validate_parts
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart, StandingPart
from marketdata_pipelines_tests.builders import LATER, Row, bar, day, make_feed, raw_bars, raw_trades, us

TIMES = ("2024-03-08 14:30", "2024-03-08 14:31", "2024-03-08 14:32")
# Symbol, minute, price (negative: rejected).
Rows = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 2), st.sampled_from([-1.0, 1.0, 2.0])), min_size=1, max_size=6
)
Histories = st.lists(st.tuples(Rows, st.sampled_from(["upsert", "replace_window"])), min_size=1, max_size=4)


def loaded(number: int, table: pa.Table, mode: str = "upsert") -> LoadedPart:
    ts = int_values(table["ts"]) // (1000 if "price" in table.column_names else 1)
    ingest = Ingest(
        "feed", f"{number}.csv", "x", f"sha-{number}", 1, LATER + number, "r", mode, "accepted", None, None, (),
        "v", "p", "c", "1", table.num_rows, int(ts.min()), int(ts.max()), number,
    )  # fmt: skip
    kind = "raw_trades" if "price" in table.column_names else "raw_bars"
    part = RawPart("2024-03-08", kind, f"part-{number}", f"{number}.parquet", table.num_rows)
    return LoadedPart(StandingPart(part, ingest), table)


def around(feed: Feed) -> SessionGrid:
    return feed_grid(feed, day("2024-03-08"), day("2024-03-08"))


def rows_of(feed: Feed, parts: list[LoadedPart], symbol: str = "A") -> SymbolRows:
    return SymbolRows(feed, around(feed), parts, symbol, us(TIMES[0]), us(TIMES[-1]))


@given(Histories)
def test_the_row_that_stands_is_the_validated_bar_and_every_other_lost_by_a_rule(
    history: list[tuple[list[tuple[str, int, float]], str]],
) -> None:
    feed = make_feed()
    parts = [
        loaded(number, raw_bars([bar(symbol, TIMES[minute], price) for symbol, minute, price in rows]), mode)
        for number, (rows, mode) in enumerate(history, 1)
    ]
    validated = validate_parts(feed, around(feed), parts)

    standing: list[tuple[str, Any, float]] = []
    lost: list[tuple[str, int, str]] = []
    for symbol in "AB":
        rows = rows_of(feed, parts, symbol)
        for ts in TIMES:
            verdicts = rows.verdicts(us(ts))
            standing += [(symbol, v.row["ts"], v.row["open"]) for v in verdicts if v.rules is None]  # type: ignore[misc]
            lost += [(v.part.ingest.file, v.row["row"], v.rules) for v in verdicts if v.rules]  # type: ignore[misc]
            assert [v.rules is None for v in verdicts].count(True) == (1 if verdicts and not verdicts[0].rules else 0)

    assert standing == [(row["symbol"], row["ts"], row["open"]) for row in validated.bars.to_pylist()]
    assert sorted(lost) == [(row["file"], row["row"], row["rules"]) for row in validated.rejected.to_pylist()]


def test_parts_that_brought_nothing_of_the_span_are_not_named() -> None:
    rows: list[Row] = [bar("A", "2024-03-08 15:00")]

    found = rows_of(make_feed(), [loaded(1, raw_bars(rows)), loaded(2, raw_bars([bar("A", TIMES[1])]))])

    assert [part.part.part_id for part in found.brought()] == ["part-2"]
    assert found.verdicts(us(TIMES[0])) == []


def test_of_two_files_of_trades_the_later_ones_trades_make_the_bar() -> None:
    feed = make_feed("24/7", "1m", data=DataKind.TRADES)
    first = raw_trades([("A", "2024-03-08 14:30:01", 10.0, 1.0), ("A", "2024-03-08 14:30:59.999", 12.0, 1.0)])
    second = raw_trades([("A", "2024-03-08 14:30:05", 11.0, 3.0), ("A", "2024-03-08 14:30:02", 9.0, 3.0)])

    rows = rows_of(feed, [loaded(1, first), loaded(2, second)])

    stands, lost = rows.verdicts(us(TIMES[0]))
    trades = rows.trades(us(TIMES[0]), stands.part)
    assert (stands.part.part.part_id, stands.rules, lost.part.part.part_id, lost.rules) == (
        "part-2", None, "part-1", "superseded",
    )  # fmt: skip
    assert trades is not None
    assert trades.table["price"].to_pylist() == [9.0, 11.0]
    assert (trades.first, trades.last, trades.high, trades.low) == (0, 1, 1, 0)
    assert stands.row["open"] == 9.0


def test_parts_of_bars_have_no_trades() -> None:
    rows = rows_of(make_feed(), [loaded(1, raw_bars([bar("A", TIMES[0])]))])

    assert rows.trades(us(TIMES[0]), rows.brought()[0]) is None
