"""`marketdata reference`: files in, what is known out, mistakes told."""

import json
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import Run

FEEDS = """
references:
  acts: {kind: corporate_actions, path: reference/acts.csv}
  names: {kind: instruments, style: lean_map}
feeds:
  shares: {source: landing, interval: 1m, calendar: XNYS, corporate_actions: acts}
"""
HEADER = "symbol,ex_date,kind,ratio\n"
SPLITS = HEADER + "AAPL,2014-06-09,split,7\nMSFT,2003-02-18,split,2\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "feeds.yaml").write_text(FEEDS, "utf-8")
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "acts.csv").write_text(SPLITS, "utf-8")
    return tmp_path


def test_a_references_own_path_is_taken_in_once(home: Path, marketdata: Run) -> None:
    first = marketdata(home, "reference", "ingest", "acts")
    second = marketdata(home, "reference", "ingest", "acts")

    assert (first.code, second.code) == (0, 0)
    assert "1 file: 1 taken in; 2 rows of 2 symbols stand, 2003-02-18 to 2014-06-09" in first.out
    assert "1 file: 1 known already; 2 rows of 2 symbols stand" in second.out


def test_named_files_can_add_or_replace(home: Path, marketdata: Run, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text(HEADER + "IBM,1999-05-27,split,2\n", "utf-8")
    marketdata(home, "reference", "ingest", "acts")

    added = json.loads(marketdata(home, "reference", "ingest", "acts", str(more), "--json").out)
    replaced = json.loads(marketdata(home, "reference", "ingest", "acts", str(more), "--replace", "--json").out)

    assert (added["reference"], added["standing"]["rows"]) == ("acts", 3)
    assert [(file["file"], file["status"], file["rows"]) for file in added["files"]] == [("more.csv", "accepted", 1)]
    assert (replaced["standing"]["rows"], replaced["standing"]["first_date"]) == (1, "1999-05-27")


def test_a_refused_file_is_an_exit_code_of_1(home: Path, marketdata: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()

    answer = marketdata(home, "reference", "ingest", "acts", str(empty))

    assert answer.code == 1
    assert "refused" in answer.out
    assert "next: marketdata reference rejected acts" in answer.out


def test_what_is_known_is_shown_also_as_of_earlier(home: Path, marketdata: Run) -> None:
    marketdata(home, "reference", "ingest", "acts")

    now = marketdata(home, "reference", "show", "acts", "--symbol", "AAPL", "--format", "csv")
    before = marketdata(home, "reference", "show", "acts", "--as-of", "2001-01-01", "--json")

    assert now.out.splitlines()[0].startswith("symbol,ex_date,kind,ratio,amount,currency,new_symbol")
    assert [line.split(",")[:4] for line in now.out.splitlines()[1:]] == [["AAPL", "2014-06-09", "split", "7"]]
    assert (before.code, json.loads(before.out)) == (0, [])


def test_instruments_are_shown_by_their_symbols(home: Path, marketdata: Run, tmp_path: Path) -> None:
    maps = tmp_path / "qqq.csv"
    maps.write_text("19990310,qqq,Q\n20041130,qqq,Q\n20110322,qqqq,Q\n20501231,qqq,Q\n", "utf-8")
    marketdata(home, "reference", "ingest", "names", str(maps))

    found = json.loads(marketdata(home, "reference", "show", "names", "--symbols", "QQQQ", "--json").out)

    assert [(row["instrument_id"], row["from_date"], row["to_date"]) for row in found] == [
        ("QQQ", "2004-12-01", "2011-03-22")
    ]


def test_rejected_rows_have_their_place(home: Path, marketdata: Run) -> None:
    (home / "reference" / "acts.csv").write_text(SPLITS + "AAPL,someday,split,2\n", "utf-8")
    marketdata(home, "reference", "ingest", "acts")

    answer = marketdata(home, "reference", "rejected", "acts", "--format", "csv")

    assert answer.out.splitlines() == [
        "file,line,row,symbol,rules,original",
        'acts.csv,4,3,AAPL,action_bad_date,"AAPL,someday,split,2"',
    ]


def test_the_list_says_what_there_is_and_who_uses_it(home: Path, marketdata: Run) -> None:
    marketdata(home, "reference", "ingest", "acts")

    acts, names = json.loads(marketdata(home, "reference", "list", "--json").out)

    assert (acts["reference"], acts["kind"], acts["rows"], acts["feeds"]) == ("acts", "corporate_actions", 2, "shares")
    assert acts["known_since"] == acts["last_known_at"] is not None
    assert (names["reference"], names["rows"], names["known_since"], names["feeds"]) == ("names", 0, None, "")


def test_mistakes_are_told_with_what_there_is(home: Path, marketdata: Run) -> None:
    unknown = marketdata(home, "reference", "show", "nothing")
    pathless = marketdata(home, "reference", "ingest", "names")
    missing = marketdata(home, "reference", "ingest", "acts", str(home / "gone.csv"))

    assert (unknown.code, pathless.code, missing.code) == (2, 2, 1)
    assert "reference 'nothing' is not in" in unknown.err
    assert "there: acts, names" in unknown.err
    assert "names names no path in feeds.yaml" in pathless.err
    assert "no file is at" in missing.err
