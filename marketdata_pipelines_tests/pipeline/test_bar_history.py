"""What a history of raw parts says of bars: the same as deriving the bars after every ingest and comparing."""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_grid
from marketdata_pipelines.pipeline.bar_history import trace_bars
from marketdata_pipelines.pipeline.change_tables import change_table
from marketdata_pipelines.pipeline.validate import LoadedPart, validate_parts
from marketdata_pipelines.stores.lake.catalog import Catalog, Ingest, PulledWindow, RawPart
from marketdata_pipelines_tests.builders import bar, day, make_feed, raw_bars, raw_trades, us

KEY = "2024-03-08"
OPEN = us("2024-03-08 14:30")
MINUTE = 60_000_000
Values = tuple[Any, ...]
State = dict[tuple[str, int], Values]

PRICES = st.sampled_from([1.0, 2.0, 3.0, -1.0])
ROWS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 4), PRICES), max_size=7)
SPANS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(sorted)
# From inside the session, where bars are unfinished or still to come, to long after it.
MOMENTS = st.sampled_from([OPEN + step * 30_000_000 for step in range(3, 14)] + [OPEN + n * 10**12 for n in range(8)])


@dataclass(frozen=True, slots=True)
class Given:
    """One ingest: its content's name, rows of the partition (None: it was refused, or brought rows of others)."""

    content: int
    known_at_us: int
    rows: list[tuple[str, int, float]] | None
    refused: bool
    trades: bool
    replaces: bool
    span: list[int]
    pulled: tuple[str, bool, bool] | None


FILES = st.builds(
    Given, st.integers(0, 4), MOMENTS, ROWS | st.none(), st.booleans(), st.booleans(), st.booleans(), SPANS, st.none()
)
PULLS = st.builds(
    Given, st.integers(5, 9), MOMENTS, ROWS, st.just(False), st.just(False), st.booleans(), SPANS,
    st.tuples(st.sampled_from(["A", "AB"]), st.booleans(), st.booleans()),
)  # fmt: skip
HISTORIES = st.lists(FILES | PULLS, min_size=1, max_size=6, unique_by=lambda one: one.known_at_us)
# Few parts side by side, as a rule: rows of bars that only one part speaks of are then left out of the work.
NEVER = st.just(False)
QUIET = st.lists(
    st.builds(Given, st.integers(0, 99), MOMENTS, ROWS, NEVER, st.booleans(), NEVER, SPANS, st.none()),
    min_size=1, max_size=5, unique_by=(lambda one: one.known_at_us, lambda one: one.content),
)  # fmt: skip


class History:
    """A catalog with everything given, and its parts' rows."""

    def __init__(self, catalog: Catalog, given: list[Given]) -> None:
        self.catalog = catalog
        self.feed: Feed = make_feed(data=None)
        self.grid: SessionGrid = feed_grid(self.feed, day(KEY), day(KEY))
        self.tables: dict[str, pa.Table] = {}
        for number, one in enumerate(given):
            self._record(number, one)
        accepted, self.withdrawing = catalog.accepted_parts("feed", KEY)
        self.parts = [LoadedPart(part, self.tables[part.part.path]) for part in accepted]

    def _record(self, number: int, one: Given) -> None:
        first, last = (OPEN + minute * MINUTE for minute in one.span)
        pulled = None
        if one.pulled is not None:
            symbols, complete, settled = one.pulled
            pulled = PulledWindow(KEY, "vendor", first, last + MINUTE, tuple(symbols), complete, settled)
        replaces = one.replaces if pulled is None else pulled.complete
        parts = []
        if one.rows is not None and not one.refused:
            table = _trades(one.rows) if one.trades else _bars(one.rows)
            name = "raw_trades" if one.trades else "raw_bars"
            parts = [RawPart(KEY, name, f"part-{number}", f"path-{number}", table.num_rows)]
            self.tables[f"path-{number}"] = table
        file, status = f"content-{one.content}", "refused" if one.refused else "accepted"
        self.catalog.record_ingest(
            Ingest(
                "feed", file, file, file, 1, one.known_at_us, "run", "replace_window" if replaces else "upsert", status,
                None, None, (), "v", "p", "c", "1", 0, first, last, pulled=pulled,
            ),
            parts,
        )  # fmt: skip

    def instants(self) -> list[int]:
        ingests = [*self.withdrawing, *(part.standing.ingest for part in self.parts)]
        return sorted(ingest.known_at_us for ingest in ingests)

    def state(self, as_of_us: int) -> State:
        """Validated bars as of an instant, the long way."""
        standing = self.catalog.standing_parts("feed", [KEY], as_of_us=as_of_us)
        parts = [LoadedPart(part, self.tables[part.part.path]) for part in standing]
        bars = validate_parts(self.feed, self.grid, parts).bars.to_pylist()
        return {(row["symbol"], _us(row["ts"])): tuple(row[name] for name in VALUES) for row in bars}

    def changes(self, *, every: bool) -> list[dict[str, Any]]:
        found = trace_bars(self.feed, self.grid, self.parts, self.withdrawing, every=every)
        return [row | {"known": _us(row["known_at"])} for row in change_table(found, first=every).to_pylist()]


def _bars(rows: list[tuple[str, int, float]]) -> pa.Table:
    return raw_bars([bar(symbol, OPEN + minute * MINUTE, price, volume=None) for symbol, minute, price in rows])


def _trades(rows: list[tuple[str, int, float]]) -> pa.Table:
    return raw_trades([(symbol, f"2024-03-08 14:{30 + minute}:05", price, 1.0) for symbol, minute, price in rows])


def _us(moment: Any) -> int:
    return round(moment.timestamp() * 1_000_000)


def expected_changes(history: History) -> list[tuple[Any, ...]]:
    """(symbol, ts, known_at, kind, old, new) by comparing the bars after each ingest with those before."""
    before: State = {}
    seen: set[tuple[str, int]] = set()
    known: dict[str, int] = {}
    found = []
    for instant in history.instants():
        after = history.state(instant)
        for key in before.keys() | after.keys():
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            late = key[1] + MINUTE <= known.get(key[0], 0)
            kind = "restored" if key in seen else "late" if late else "first"
            kind = "changed" if old and new else kind if new else "removed"
            found.append((*key, instant, kind, old, new))
        seen |= after.keys()
        # All rows are of one session: it is known of a symbol once an ingest that counts brought a bar of it.
        for part in history.catalog.standing_parts("feed", [KEY], as_of_us=instant):
            if part.ingest.known_at_us == instant:
                alone = LoadedPart(part, history.tables[part.part.path])
                for row in validate_parts(history.feed, history.grid, [alone]).bars.to_pylist():
                    known[row["symbol"]] = instant
        before = after
    return sorted(found, key=lambda row: row[:3])


def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    def values(row: dict[str, Any], age: str) -> Values | None:
        return tuple(row[f"{age}_{name}"] for name in VALUES) if row[f"{age}_close"] is not None else None

    return [
        (row["symbol"], _us(row["ts"]), row["known"], row["kind"], values(row, "old"), values(row, "new"))
        for row in rows
    ]


def check_against_derived_bars(given_: list[Given]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Catalog(Path(folder) / "catalog.sqlite"), given_)
        expected = expected_changes(history)

        assert told(history.changes(every=True)) == expected
        assert told(history.changes(every=False)) == [row for row in expected if row[3] != "first"]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_changes_are_what_deriving_after_every_ingest_shows(given_: list[Given]) -> None:
    check_against_derived_bars(given_)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(QUIET)
def test_changes_are_the_same_when_only_contested_bars_are_looked_at(given_: list[Given]) -> None:
    check_against_derived_bars(given_)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES, st.data())
def test_any_two_instants_differ_by_the_changes_between_them(given_: list[Given], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Catalog(Path(folder) / "catalog.sqlite"), given_)
        early, late = sorted(data.draw(st.tuples(MOMENTS, MOMENTS)))
        one, other = history.state(early), history.state(late)

        between = [row for row in told(history.changes(every=True)) if early < row[2] <= late]

        chains: dict[tuple[str, int], list[tuple[Any, ...]]] = {}
        for row in between:
            chains.setdefault(row[:2], []).append(row)
        for key in one.keys() | other.keys() | chains.keys():
            chain = chains.get(key)
            if chain is None:
                assert one.get(key) == other.get(key)
                continue
            assert (chain[0][4], chain[-1][5]) == (one.get(key), other.get(key))
            assert all(left[5] == right[4] for left, right in pairwise(chain))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_each_change_names_the_row_it_came_from(given_: list[Given]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Catalog(Path(folder) / "catalog.sqlite"), given_)
        ingests = {ingest.seq: ingest for ingest in history.catalog.ingests("feed")}
        tables = {part.standing.part.part_id: part.table for part in history.parts}

        for row in history.changes(every=True):
            assert ingests[row["seq"]].known_at_us == row["known"]
            if row["new_close"] is None:
                assert (row["line"], row["row"], row["file"]) == (None, None, ingests[row["seq"]].file)
                continue
            source = tables[row["part"]].to_pylist()[row["row"] - 1]
            price = source.get("close", source.get("price"))
            assert (source["symbol"], source["line"], source["row"]) == (row["symbol"], row["line"], row["row"])
            assert row["new_trade_count"] is not None or price == row["new_close"]


def test_no_part_at_all_is_no_history() -> None:
    feed = make_feed(data=DataKind.BARS)

    found = trace_bars(feed, feed_grid(feed, day(KEY), day(KEY)), [], every=True)

    assert change_table(found, first=True).num_rows == 0
