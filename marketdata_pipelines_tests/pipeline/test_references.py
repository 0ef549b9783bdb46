"""What is known of references, now and at earlier instants, and what there is of each."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from marketdata_pipelines.domain.actions import ACTION_SCHEMA
from marketdata_pipelines.domain.instruments import STANDING_INSTRUMENT_SCHEMA
from marketdata_pipelines.domain.references import Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.pipeline.references import (
    ReferenceSummary,
    actions_of,
    instruments_of,
    known_actions,
    known_instruments,
    known_rows,
    rejected_rows,
    summary,
    users_of,
)
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, us

ACTIONS = Reference("acts", ReferenceKind.CORPORATE_ACTIONS)
NAMES = Reference("names", ReferenceKind.INSTRUMENTS)
REFERENCES = {"acts": ACTIONS, "names": NAMES}
HEADER = "symbol,ex_date,kind,ratio,amount\n"
SPLIT, DIVIDEND = "AAPL,2014-06-09,split,7,\n", "AAPL,2014-05-08,cash_dividend,,3.29\n"
BAD = "MSFT,2014-99-08,cash_dividend,,3.29\n"
INSTRUMENTS = "instrument_id,symbol,from,to\nMETA,FB,2012-05-18,2022-06-08\nMETA,META,2022-06-09,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def take(lake: Lake, path: Path, text: str, at: str, mode: ReferenceMode | None = None) -> None:
    """Take a text in as a file of the actions, known at an instant."""
    path.write_text(text, "utf-8")
    take_in_reference(lake, ACTIONS, [str(path)], IntakeRun(f"run {at}", us(at)), mode)


def kinds(lake: Lake, at: str | None = None) -> list[str]:
    return known_actions(lake, ACTIONS, None if at is None else us(at))["kind"].to_pylist()


def test_an_earlier_instant_knows_what_had_become_known_by_then(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT, "2020-01-01 12:00")
    take(lake, folder / "b.csv", HEADER + DIVIDEND, "2021-01-01")
    take(lake, folder / "c.csv", HEADER + SPLIT.replace("7", "4"), "2022-01-01", ReferenceMode.REPLACE)

    assert kinds(lake, "2020-01-01 11:59") == []
    assert kinds(lake, "2020-01-01 12:00") == ["split"]
    assert kinds(lake, "2021-01-01") == ["cash_dividend", "split"]
    assert kinds(lake) == ["split"]
    assert known_actions(lake, ACTIONS)["ratio"].to_pylist() == [4.0]


def test_a_cancelled_action_is_gone_from_then_on(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT, "2020-01-01")
    take(lake, folder / "b.csv", "symbol,ex_date,kind,status\nAAPL,2014-06-09,split,cancelled\n", "2021-01-01")

    assert (kinds(lake, "2020-06-01"), kinds(lake)) == (["split"], [])


def test_nothing_known_is_an_empty_table(lake: Lake) -> None:
    assert known_actions(lake, ACTIONS).schema == ACTION_SCHEMA
    assert known_instruments(lake, NAMES).schema == STANDING_INSTRUMENT_SCHEMA


def test_a_reference_of_one_kind_has_nothing_of_the_other(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match="names holds instruments, not corporate_actions"):
        known_actions(lake, NAMES)
    with pytest.raises(SettingsInvalid, match="acts holds corporate_actions, not instruments"):
        known_instruments(lake, ACTIONS)


def test_parts_from_before_a_reference_changed_its_kind_do_not_count(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT, "2020-01-01")

    assert known_rows(lake, replace(NAMES, name="acts")).num_rows == 0


def test_a_feed_is_given_what_it_names(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT, "2020-01-01")
    (folder / "i.csv").write_text(INSTRUMENTS, "utf-8")
    take_in_reference(lake, NAMES, [str(folder / "i.csv")], IntakeRun("run", us("2020-01-01")))
    feed = make_feed(corporate_actions="acts", instruments="names")

    actions, instruments = actions_of(lake, feed, REFERENCES), instruments_of(lake, feed, REFERENCES)

    assert actions is not None
    assert actions["kind"].to_pylist() == ["split"]
    assert instruments is not None
    assert instruments["symbol"].to_pylist() == ["FB", "META"]
    assert actions_of(lake, feed, REFERENCES, us("2019-01-01")).num_rows == 0  # type: ignore[union-attr]


def test_a_feed_that_names_nothing_is_given_nothing(lake: Lake) -> None:
    assert actions_of(lake, make_feed(), REFERENCES) is None
    assert instruments_of(lake, make_feed(), REFERENCES) is None


def test_a_feed_of_an_earlier_definition_may_name_what_is_no_more(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match="feed names 'old', which is not under references; there: acts, names"):
        actions_of(lake, make_feed(corporate_actions="old"), REFERENCES)


def test_feeds_that_name_a_reference_are_its_users() -> None:
    feeds = [
        make_feed(name="a", corporate_actions="acts"),
        make_feed(name="b", instruments="names"),
        make_feed(name="c"),
        make_feed(name="d", corporate_actions="acts", instruments="names"),
    ]

    assert (users_of(ACTIONS, feeds), users_of(NAMES, feeds)) == (["a", "d"], ["b", "d"])


def test_bad_rows_and_refused_files_are_listed_with_their_place(lake: Lake, folder: Path) -> None:
    take(lake, folder / "b.csv", HEADER + SPLIT + BAD, "2020-01-01")
    take(lake, folder / "a.csv", "nothing,known\nx\n", "2020-01-02")

    found = rejected_rows(lake, ACTIONS).to_pylist()

    assert [(row["file"], row["line"], row["row"], row["symbol"]) for row in found] == [
        ("a.csv", None, None, None),
        ("b.csv", 3, 2, "MSFT"),
    ]
    assert found[1]["rules"] == "action_bad_date"
    assert "2014-99-08" in found[1]["original"]


def test_a_file_that_was_mended_is_listed_no_more(lake: Lake, folder: Path) -> None:
    take(lake, folder / "b.csv", HEADER + SPLIT + BAD, "2020-01-01")
    take(lake, folder / "a.csv", "nothing,known\nx\n", "2020-01-02")

    take(lake, folder / "b.csv", HEADER + SPLIT, "2020-01-03")
    take(lake, folder / "a.csv", HEADER + DIVIDEND, "2020-01-04")

    assert rejected_rows(lake, ACTIONS).num_rows == 0


def test_what_there_is_can_be_told_in_figures(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT + BAD, "2020-01-01")
    take(lake, folder / "b.csv", HEADER + DIVIDEND, "2021-01-01")
    take(lake, folder / "c.csv", "nothing,known\nx\n", "2022-01-01")

    assert summary(lake, ACTIONS) == ReferenceSummary(
        rows=2, symbols=1, first_date=date(2014, 5, 8), last_date=date(2014, 6, 9), rejected=1, files=2, refused=1,
        first_known_at_us=us("2020-01-01"), last_known_at_us=us("2021-01-01"),
    )  # fmt: skip
    assert summary(lake, ACTIONS, us("2020-06-01")).rows == 1
    assert summary(lake, NAMES) == ReferenceSummary(0, 0, None, None, 0, 0, 0, None, None)


def test_what_is_known_is_read_once_and_anew_when_more_becomes_known(lake: Lake, folder: Path) -> None:
    take(lake, folder / "a.csv", HEADER + SPLIT, "2020-01-01")
    first = known_actions(lake, ACTIONS)

    assert known_actions(lake, ACTIONS) is first
    assert known_actions(lake, ACTIONS, us("2020-06-01")) is first

    take(lake, folder / "b.csv", HEADER + DIVIDEND, "2021-01-01")
    assert known_actions(lake, ACTIONS) is not first
    assert known_actions(lake, ACTIONS, us("2020-06-01")) is first
