"""A vendor's pages made into what each window holds."""

from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import SourceKind, SourceSpec
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.pipeline.answers import gather_answer, window_source
from marketdata_pipelines.pipeline.windows import Window
from marketdata_pipelines.sources.exchange.historical import open_source
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA
from marketdata_pipelines_tests.builders import Row, bar, column, day, make_feed, us
from marketdata_pipelines_tests.sources.exchange.exchanges import pulled_feed

FEED = make_feed(source=SourceSpec(SourceKind.EXCHANGE, url="http://h", symbols=("A", "B")))
START, END = us("2024-07-01 13:30"), us("2024-07-01 20:00")
WINDOW = Window("2024-07-01", START, END, day("2024-07-01"), day("2024-07-01"), True)
LATER = us("2024-08-01 00:00")


def table(*rows: Row) -> pa.Table:
    named = [{name: row[name] for name in row if name != "rules"} | {"original": "text"} for row in rows]
    return pa.Table.from_pylist(named, schema=PULLED_BAR_SCHEMA)


def gathered(*pages: pa.Table, received_us: int = LATER) -> list[tuple[str, str, float]]:
    (answer,) = gather_answer(FEED, pages, [WINDOW], received_us)
    names = ("symbol", "ts", "close")
    return list(zip(*(column(answer.bars, name) for name in names), strict=True))


def test_only_what_was_asked_for_is_kept() -> None:
    page = table(
        bar("A", "2024-07-01 13:29"), bar("A", "2024-07-01 13:30"), bar("A", "2024-07-01 19:59"),
        bar("A", "2024-07-01 20:00"), bar("C", "2024-07-01 13:30"),
    )  # fmt: skip

    assert [row[:2] for row in gathered(page)] == [("A", "2024-07-01 13:30"), ("A", "2024-07-01 19:59")]


def test_of_a_bar_that_comes_twice_the_last_counts() -> None:
    first = table(bar("B", "2024-07-01 13:30", 5.0), bar("A", "2024-07-01 13:31", 1.0))
    second = table(bar("A", "2024-07-01 13:31", 2.0), bar("A", "2024-07-01 13:31", 3.0))

    assert gathered(first, second) == [("A", "2024-07-01 13:31", 3.0), ("B", "2024-07-01 13:30", 5.0)]


def test_a_bar_that_is_not_over_is_left_out() -> None:
    page = table(bar("A", "2024-07-01 13:30"), bar("A", "2024-07-01 13:31"))

    assert len(gathered(page, received_us=us("2024-07-01 13:32"))) == 2
    assert len(gathered(page, received_us=us("2024-07-01 13:32") - 1)) == 1


def test_a_page_that_breaks_its_promise_is_a_mistake_of_the_vendors_module() -> None:
    for page in (table(bar(None, "2024-07-01 13:30")), table(bar("A", None)), pa.table({"symbol": ["A"]})):
        with pytest.raises(SchemaMismatch):
            gathered(page)


ROWS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 5), st.sampled_from([1.0, 2.0])), max_size=12)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=4), repeats=st.integers(0, 3))
def test_how_rows_are_cut_into_pages_and_repeated_leaves_no_trace(
    rows: list[tuple[str, int, float]], cuts: list[int], repeats: int
) -> None:
    source = open_source(pulled_feed("http://h"), lambda: LATER)
    made = [bar(symbol, START + minute * 60_000_000, price) for symbol, minute, price in rows]
    ends = sorted({0, *(min(cut, len(made)) for cut in cuts), len(made)})
    # A page that begins with rows of the one before it, in the same order.
    pages = [table(*made[max(first - repeats, 0) : last]) for first, last in pairwise(ends)]

    (whole,) = gather_answer(FEED, [table(*made)], [WINDOW], LATER)
    (cut,) = gather_answer(FEED, pages, [WINDOW], LATER)

    assert cut.bars.equals(whole.bars)
    assert window_source(FEED, cut, source).sha256 == window_source(FEED, whole, source).sha256


def test_an_answer_is_known_by_its_bars_and_by_what_was_asked() -> None:
    source = open_source(pulled_feed("http://h"), lambda: LATER)
    rows = [bar("A", "2024-07-01 13:30"), bar("B", "2024-07-01 13:30", volume=None)]

    def sha256(*changed: Row, window: Window = WINDOW) -> str:
        (answer,) = gather_answer(FEED, [table(*changed)], [window], LATER)
        return window_source(FEED, answer, source).sha256

    same = sha256(*rows)
    others = [
        sha256(rows[0]), sha256(rows[0], rows[1] | {"volume": 0.0}), sha256(rows[0] | {"close": 100.5}, rows[1]),
        sha256(rows[0] | {"trade_count": 1}, rows[1]), sha256(*rows, window=replace(WINDOW, settled=False)),
        sha256(*rows, window=replace(WINDOW, end_us=END - 1)),
    ]  # fmt: skip
    assert same == sha256(*reversed(rows))
    assert len({same, *others}) == 7
