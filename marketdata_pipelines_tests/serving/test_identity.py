"""Bars by instrument and adjusted, from a lake with renamed and reused tickers."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines_tests.builders import Row, bar, column, make_home, source_of, take_in, us, walk_stale

FEEDS = """
references:
  actions: {kind: corporate_actions}
  instruments: {kind: instruments}
feeds:
  us_1d: {source: {kind: files}, interval: 1d, calendar: XNYS, corporate_actions: actions, instruments: instruments}
  us_1h: {source: {kind: files}, interval: 1h, calendar: XNYS, corporate_actions: actions, instruments: instruments}
  plain_1d: {source: {kind: files}, interval: 1d, calendar: XNYS}
"""
# On Wednesday 2024-01-10 the company OLD is renamed to NEW; on the same day another one takes the ticker OLD.
INSTRUMENTS = """\
instrument_id,symbol,from,to,type
first,OLD,2020-01-01,2024-01-09,equity
first,NEW,2024-01-10,,equity
second,OLD,2024-01-10,,equity
"""
# The renamed company splits two for one on Thursday, and pays 1 a share on Friday.
ACTIONS = """\
symbol,ex_date,kind,ratio,amount
NEW,2024-01-11,split,2,
NEW,2024-01-12,cash_dividend,,1
"""
WEEK = ("2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12")
BEFORE, AFTER = "2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"


@dataclass(frozen=True)
class Desk:
    reader: LakeReader
    folder: Path

    def refer(self, name: str, text: str, known_at: str) -> None:
        path = self.folder / f"{name}.csv"
        path.write_text(text)
        reference = load_references(self.folder / "home" / "feeds.yaml")[name]
        taken = take_in_reference(self.reader.lake, reference, [str(path)], IntakeRun("run", us(known_at)))
        assert [(file.status, file.rejected) for file in taken] == [("accepted", 0)]


def daily(symbol: str, day: str, close: float) -> Row:
    return bar(symbol, f"{day} 00:00", close, volume=100.0)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("identity")
    made = Desk(LakeReader(make_home(folder / "home", FEEDS)), folder)
    rows = [daily("OLD", day, 100.0 + at) for at, day in enumerate(WEEK[:2])]
    rows += [daily("NEW", "2024-01-10", 102.0), daily("NEW", "2024-01-11", 51.5), daily("NEW", "2024-01-12", 51.0)]
    rows += [daily("OLD", day, 7.0 + at) for at, day in enumerate(WEEK[2:])]
    rows += [daily("SOLO", day, 20.0) for day in WEEK]
    for name in ("us_1d", "plain_1d"):
        take_in(made.reader.lake, made.reader.feed(name), source_of(f"{name}.csv", rows), known_at=BEFORE)
        walk_stale(made.reader.lake, made.reader.feed(name))
    hours = [bar("OLD", f"2024-01-09 {hour}:00", 101.0) for hour in (15, 17)]
    hours += [bar("NEW", f"2024-01-10 {hour}:00", 102.0) for hour in (15, 16)]
    take_in(made.reader.lake, made.reader.feed("us_1h"), source_of("hours.csv", hours), known_at=BEFORE)
    walk_stale(made.reader.lake, made.reader.feed("us_1h"))
    made.refer("instruments", INSTRUMENTS, BEFORE)
    made.refer("actions", ACTIONS, AFTER)
    return made


def test_a_question_by_instrument_follows_the_rename(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", instruments=["first"])

    assert column(found, "symbol") == ["OLD", "OLD", "NEW", "NEW", "NEW"]
    assert column(found, "close") == [100.0, 101.0, 102.0, 51.5, 51.0]
    assert set(column(found, "instrument_id")) == {"first"}


def test_a_question_by_symbol_has_whoever_bore_it_then(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", ["OLD"], instrument_ids=True)

    assert list(zip(column(found, "instrument_id"), column(found, "close"), strict=True)) == [
        ("first", 100.0), ("first", 101.0), ("second", 7.0), ("second", 8.0), ("second", 9.0),
    ]  # fmt: skip


def test_a_symbol_nobody_listed_is_an_instrument_of_its_own(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", ["SOLO"], instrument_ids=True)

    assert set(column(found, "instrument_id")) == {"symbol:SOLO"}


def test_a_week_never_joins_two_bearers_of_a_ticker(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", timeframe="1w", instrument_ids=True)

    weeks = {row["instrument_id"]: row for row in found.to_pylist()}
    assert {name: (row["symbol"], row["open"], row["close"], row["bar_count"]) for name, row in weeks.items()} == {
        "first": ("NEW", 100.0, 51.0, 5),
        "second": ("OLD", 7.0, 9.0, 3),
        "symbol:SOLO": ("SOLO", 20.0, 20.0, 5),
    }


def test_without_instruments_the_stored_week_is_by_ticker(desk: Desk) -> None:
    found = desk.reader.bars("plain_1d", ["OLD"], "1w")

    assert (column(found, "open"), column(found, "close"), column(found, "bar_count")) == ([100.0], [9.0], [5])


def test_actions_reach_back_through_the_rename(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", instruments=["first"], adjustment="split", end="2024-01-12")

    assert column(found, "close") == [50.0, 50.5, 51.0, 51.5, 51.0]
    assert column(found, "volume") == [200.0, 200.0, 200.0, 100.0, 100.0]


def test_cash_is_measured_by_the_close_before_it(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", instruments=["first"], adjustment="total", end="2024-01-12")

    factor = 1 - 1 / 51.5
    assert column(found, "close") == pytest.approx([50 * factor, 50.5 * factor, 51 * factor, 51.5 * factor, 51.0])


def test_the_scale_is_that_of_the_end_of_the_range(desk: Desk) -> None:
    early = desk.reader.bars("us_1d", instruments=["first"], adjustment="split", end="2024-01-10")
    asked = desk.reader.bars(
        "us_1d", instruments=["first"], adjustment="split", end="2024-01-10", adjust_as_of="2024-01-11"
    )

    assert column(early, "close") == [100.0, 101.0, 102.0]
    assert column(asked, "close") == [50.0, 50.5, 51.0]


def test_an_adjusted_week_is_made_of_adjusted_days(desk: Desk) -> None:
    found = desk.reader.bars("us_1d", instruments=["first"], timeframe="1w", adjustment="split", end="2024-01-12")

    assert found.select(["open", "high", "low", "close", "volume", "bar_count"]).to_pylist() == [
        {"open": 50.0, "high": 51.5, "low": 50.0, "close": 51.0, "volume": 800.0, "bar_count": 5}
    ]


def test_returns_are_those_of_the_holder(desk: Desk) -> None:
    performance = {
        row["last_close"]: row["ret"] for row in desk.reader.table("us_1d", "symbol_performance").to_pylist()
    }
    daily = desk.reader.table("us_1d", "daily_summary", "2024-01-10", "2024-01-11").to_pylist()

    assert performance == pytest.approx({51.0: 0.02, 9.0: 9 / 7 - 1, 20.0: 0.0})
    returns = {(row["symbol"], str(row["session_date"])): row["ret_cc"] for row in daily}
    assert returns["NEW", "2024-01-10"] == pytest.approx(102 / 101 - 1)
    assert returns["NEW", "2024-01-11"] == pytest.approx(103 / 102 - 1)
    assert returns["OLD", "2024-01-10"] is None
    assert returns["OLD", "2024-01-11"] == pytest.approx(8 / 7 - 1)


def test_actions_not_known_then_adjust_nothing_then(desk: Desk) -> None:
    before = desk.reader.bars("us_1d", instruments=["first"], adjustment="split", end="2024-01-12", as_of=BEFORE)
    after = desk.reader.bars("us_1d", instruments=["first"], adjustment="split", end="2024-01-12", as_of=AFTER)

    assert column(before, "close") == [100.0, 101.0, 102.0, 51.5, 51.0]
    assert column(after, "close") == [50.0, 50.5, 51.0, 51.5, 51.0]


def test_filled_bars_keep_their_instrument(desk: Desk) -> None:
    found = desk.reader.bars("us_1h", instruments=["first"], fill="forward")

    assert {(row["symbol"], row["instrument_id"]) for row in found.to_pylist()} == {("OLD", "first"), ("NEW", "first")}
    assert any(column(found, "filled"))


def test_a_feed_without_reference_data_says_what_to_write(desk: Desk) -> None:
    with pytest.raises(SettingsInvalid, match="`corporate_actions: NAME`"):
        desk.reader.bars("plain_1d", adjustment="split")
    with pytest.raises(SettingsInvalid, match="`instruments: NAME`"):
        desk.reader.bars("plain_1d", instruments=["first"])
    with pytest.raises(SettingsInvalid, match="allowed: raw, split, total"):
        desk.reader.bars("us_1d", adjustment="full")


def test_an_action_without_a_close_before_it_is_told(desk: Desk) -> None:
    answer = desk.reader.bars("us_1d", instruments=["first"], adjustment="total", end="2024-01-12")

    assert answer_notes(answer) == []


def test_a_split_nobody_told_of_is_proposed_and_not_applied(desk: Desk) -> None:
    proposed = desk.reader.proposed_actions("plain_1d").to_pylist()

    assert [(row["symbol"], str(row["ex_date"]), row["ratio"]) for row in proposed] == [("NEW", "2024-01-11", 2.0)]
    assert column(desk.reader.bars("plain_1d", ["NEW"]), "close") == [102.0, 51.5, 51.0]
    assert desk.reader.proposed_actions("us_1d", "2024-01-10", "2024-01-12").num_rows == 0
