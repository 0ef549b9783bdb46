"""Raw parts into validated bars and rejected rows."""

from dataclasses import dataclass

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import ClosingAuction, DataKind, Feed
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.pipeline.validate import LoadedPart, Validated, validate_parts
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart, StandingPart
from marketdata_pipelines_tests.builders import LATER, Row, bar, column, day, make_feed, raw_bars, raw_trades, us

AT, NEXT = "2024-03-08 14:30", "2024-03-08 14:31"


@dataclass(frozen=True, slots=True)
class Part:
    """What one file brought: its name, rows (or trades), when it became known, and how."""

    name: str
    rows: list[Row] | pa.Table
    known_at: int = LATER
    mode: str = "upsert"
    window: tuple[str, str] | None = None


def validate(*parts: Part, feed: Feed | None = None, around: str = "2024-03-08") -> Validated:
    feed = feed or make_feed()
    loaded = [_loaded(number, part) for number, part in enumerate(parts, 1)]
    return validate_parts(feed, feed_grid(feed, day(around), day(around)), loaded)


def _loaded(number: int, part: Part) -> LoadedPart:
    table = part.rows if isinstance(part.rows, pa.Table) else raw_bars(part.rows)
    kind = "raw_trades" if "price" in table.column_names else "raw_bars"
    first, last = (us(moment) for moment in part.window) if part.window else (None, None)
    ingest = Ingest(
        "feed", part.name, part.name, part.name, 1, part.known_at, "r", part.mode, "accepted", None, None, (),
        "v", "p", "c", "1", table.num_rows, first, last, number,
    )  # fmt: skip
    raw = RawPart(around_key(table), kind, f"part-{number}", "x.parquet", table.num_rows)
    return LoadedPart(StandingPart(raw, ingest), table)


def around_key(_: pa.Table) -> str:
    return "2024-03-08"


def rejects(found: Validated) -> list[tuple[str, int, str]]:
    return list(zip(*(column(found.rejected, name) for name in ("file", "row", "rules")), strict=True))


def test_nothing_gives_empty_tables() -> None:
    found = validate()

    assert found.bars.schema == BAR_SCHEMA
    assert found.rejected.schema == REJECTED_SCHEMA
    assert (found.bars.num_rows, found.rejected.num_rows, found.raw_rows, found.accepted_rows) == (0, 0, 0, 0)


def test_good_rows_become_sorted_bars_with_session_and_close() -> None:
    found = validate(Part("a", [bar("B", NEXT), bar("A", AT, volume=None, trade_count=4)]))

    assert found.bars.schema == BAR_SCHEMA
    assert column(found.bars, "symbol") == ["A", "B"]
    assert column(found.bars, "ts_close") == ["2024-03-08 14:31", "2024-03-08 14:32"]
    assert column(found.bars, "session_date") == [day("2024-03-08")] * 2
    assert (column(found.bars, "volume"), column(found.bars, "trade_count")) == ([None, 100.0], [4, None])


def test_not_a_number_is_stored_as_unknown() -> None:
    found = validate(Part("a", [bar("A", AT, volume=float("nan"), vwap=float("nan"))]))

    assert (column(found.bars, "volume"), column(found.bars, "vwap")) == ([None], [None])


def test_rejected_rows_come_by_file_and_row_with_their_rules_and_text() -> None:
    first = [bar("A", AT, -1.0), bar("A", NEXT), bar("A", None, rules="footer_row", original="total,,,")]

    found = validate(Part("b.csv", first), Part("a.csv", [bar("A", NEXT, high=1.0)]))

    assert rejects(found) == [
        ("a.csv", 1, "high_below_low"), ("b.csv", 1, "price_not_positive"), ("b.csv", 3, "footer_row"),
    ]  # fmt: skip
    assert column(found.rejected, "original")[2] == "total,,,"
    assert column(found.rejected, "original")[1].startswith("A,2024-03-08 14:30:00.000000Z,-1,")
    assert column(found.rejected, "part") == ["part-2", "part-1", "part-1"]
    assert (found.raw_rows, found.accepted_rows) == (4, 1)


def test_each_part_is_judged_by_when_it_became_known() -> None:
    early, late = us("2024-03-08 14:31:30"), us("2024-03-08 14:32")

    found = validate(Part("early", [bar("A", NEXT)], early), Part("late", [bar("A", NEXT)], late))

    assert rejects(found) == [("early", 1, "unfinished")]
    assert found.bars.num_rows == 1


def test_a_later_file_supersedes_and_a_bad_row_of_it_does_not() -> None:
    found = validate(
        Part("one", [bar("A", AT, 1.0), bar("A", NEXT, 2.0)]), Part("two", [bar("A", AT, 9.0), bar("A", NEXT, -9.0)])
    )

    assert column(found.bars, "close") == [9.0, 2.0]
    assert rejects(found) == [("one", 1, "superseded"), ("two", 2, "price_not_positive")]


def test_a_replaced_window_deletes_what_it_leaves_out_and_nothing_outside() -> None:
    old = [bar("A", f"2024-03-08 14:3{minute}") for minute in range(5)] + [bar("B", "2024-03-08 14:32")]
    new = [bar("A", "2024-03-08 14:31", 7.0), bar("A", "2024-03-08 14:33", -1.0)]
    window = ("2024-03-08 14:31", "2024-03-08 14:33")

    found = validate(Part("old", old), Part("new", new, mode="replace_window", window=window))

    assert column(found.bars, "ts") == [
        "2024-03-08 14:30", "2024-03-08 14:31", "2024-03-08 14:33", "2024-03-08 14:34",
    ]  # fmt: skip
    assert rejects(found) == [
        ("new", 2, "price_not_positive"), ("old", 2, "superseded"), ("old", 3, "deleted"), ("old", 6, "deleted"),
    ]  # fmt: skip


def test_an_empty_replacement_deletes_its_whole_window() -> None:
    window = ("2024-03-07 14:30", "2024-03-11 14:30")

    found = validate(Part("old", [bar("A", AT)]), Part("new", [], mode="replace_window", window=window))

    assert rejects(found) == [("old", 1, "deleted")]
    assert (found.raw_rows, found.accepted_rows, found.bars.num_rows) == (1, 0, 0)


def test_what_comes_after_a_replacement_stands() -> None:
    window = ("2024-03-07 14:30", "2024-03-11 14:30")

    found = validate(
        Part("old", [bar("A", AT, 1.0)]), Part("gone", [], mode="replace_window", window=window),
        Part("back", [bar("A", AT, 3.0)]),
    )  # fmt: skip

    assert column(found.bars, "close") == [3.0]


def test_an_empty_part_beside_others_changes_nothing() -> None:
    found = validate(Part("none", []), Part("a", [bar("A", AT)]), Part("none too", []))

    assert (found.bars.num_rows, found.raw_rows, found.accepted_rows) == (1, 1, 1)


def test_trades_become_bars_and_are_counted_as_trades() -> None:
    trades = raw_trades([("A", AT, 10.0, 1.0), ("A", AT, 11.0, 2.0), ("A", AT, -1.0, 1.0)])

    found = validate(Part("t.csv", trades), feed=make_feed(data=DataKind.TRADES))

    assert (found.raw_rows, found.accepted_rows) == (3, 2)
    assert (column(found.bars, "volume"), column(found.bars, "trade_count")) == ([3.0], [2])
    assert rejects(found) == [("t.csv", 3, "price_not_positive")]


def test_bars_and_trades_of_one_feed_supersede_each_other_by_time_of_knowledge() -> None:
    bars = Part("bars", [bar("A", AT, 5.0)])
    trades = Part("trades", raw_trades([("A", AT, 9.0, 1.0)]))

    for parts, close, superseded in (((bars, trades), 9.0, [("bars", 1, "superseded")]), ((trades, bars), 5.0, [])):
        found = validate(*parts)

        assert column(found.bars, "close") == [close]
        assert rejects(found) == superseded
        assert found.accepted_rows + found.rejected.num_rows == found.raw_rows == 2


def test_a_closing_auction_of_its_own_is_a_regular_bar() -> None:
    rows = [bar("A", "2024-03-08 20:59"), bar("A", "2024-03-08 21:00")]

    last = validate(Part("a", rows))
    own = validate(Part("a", rows), feed=make_feed(closing_auction=ClosingAuction.OWN_BAR))

    assert rejects(last) == [("a", 2, "out_of_session")]
    assert column(own.bars, "regular") == [True, True]


def test_daily_bars_are_complete_at_the_close_of_their_session() -> None:
    rows = [bar("A", "2024-03-08 00:00"), bar("A", "2024-03-11 00:00")]

    found = validate(Part("a", rows), feed=make_feed(interval="1d"))

    assert column(found.bars, "ts_close") == ["2024-03-08 21:00", "2024-03-11 20:00"]
    assert column(found.bars, "session_date") == [day("2024-03-08"), day("2024-03-11")]


def test_bars_of_several_days_are_complete_when_their_last_day_is() -> None:
    rows = [bar("A", "2024-03-04 00:00")]

    assert column(validate(Part("a", rows), feed=make_feed(interval="1w")).bars, "ts_close") == ["2024-03-11 00:00"]
    assert column(validate(Part("a", rows), feed=make_feed(interval="1M")).bars, "ts_close") == ["2024-04-01 00:00"]


def test_a_span_without_sessions_rejects_every_row() -> None:
    feed = make_feed(closed=tuple(day(f"2024-03-{n:02}") for n in range(1, 20)))

    found = validate(Part("a", [bar("A", AT)]), feed=feed)

    assert rejects(found) == [("a", 1, "out_of_session")]


ROW = st.tuples(
    st.sampled_from(["A", "B", None]),
    st.integers(-2, 4),
    st.sampled_from([100.0, 101.0, -1.0, None]),
    st.sampled_from([None, None, None, "row_too_short"]),
)


@given(st.lists(st.tuples(st.lists(ROW, max_size=12), st.booleans()), max_size=4))
def test_accepted_and_rejected_rows_are_the_raw_rows(
    drawn: list[tuple[list[tuple[str | None, int, float | None, str | None]], bool]],
) -> None:
    parts = []
    for number, (rows, replaces) in enumerate(drawn):
        made = [bar(s, us(AT) + m * 60_000_000, p, rules=r) if p else bar(s, None, open=None) for s, m, p, r in rows]
        mode = "replace_window" if replaces else "upsert"
        parts.append(Part(f"f{number}", made, mode=mode, window=("2024-03-08 14:30", "2024-03-08 14:32")))

    found = validate(*parts)

    assert found.accepted_rows + found.rejected.num_rows == found.raw_rows == sum(len(rows) for rows, _ in drawn)
    assert found.bars.num_rows == found.accepted_rows
    places = list(zip(column(found.rejected, "file"), column(found.rejected, "row"), strict=True))
    assert len(set(places)) == len(places)
    assert all(column(found.rejected, "rules"))
