"""Files of reference data into raw parts and the ledger, once per content; replacements have tests of their own."""

import fcntl
import gzip
from pathlib import Path

import pytest

from marketdata_pipelines.domain.references import Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, TakenFile, TakenStatus, take_in_own_files
from marketdata_pipelines.pipeline.references import known_actions, known_instruments
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_manifest
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.reference_files import (
    ACTIONS,
    BAD,
    DIVIDEND,
    HEADER,
    SPLIT,
    known,
    statuses,
    take,
    write,
)

FACTORS = "20140101,0.5,1,1\n20501231,1,1,0\n"
REPLACE = ReferenceMode.REPLACE


def test_a_file_becomes_one_raw_part_and_one_row_of_the_ledger(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", DIVIDEND + SPLIT + BAD)

    (taken,) = take(lake, path, at="2020-01-01 08:00")

    assert taken == TakenFile("a.csv", TakenStatus.ACCEPTED, rows=3, rejected=1)
    (standing,) = lake.catalog.standing_parts("acts")
    part, ingest = standing.part, standing.ingest
    assert (part.partition, part.tbl, part.rows) == ("all", "raw_actions", 3)
    assert (ingest.file, ingest.path, ingest.mode, ingest.status, ingest.rows) == (
        "a.csv",
        path,
        "upsert",
        "accepted",
        3,
    )
    assert (ingest.known_at_us, ingest.run_id) == (us("2020-01-01 08:00"), "run 2020-01-01 08:00")
    assert (ingest.first_ts_us, ingest.last_ts_us) == (us("2014-05-08"), us("2014-06-09"))
    assert ingest.parse_version == ACTIONS.parse_version
    assert read_manifest(lake.layout.root / part.path)["sha256"] == ingest.sha256


def test_the_same_content_again_changes_nothing_whatever_its_name(lake: Lake, tmp_path: Path) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT + BAD))

    again = take(lake, str(tmp_path / "a.csv"), write(tmp_path, "copy.csv", SPLIT + BAD), at="2021-01-01")

    assert again == [
        TakenFile("a.csv", TakenStatus.KNOWN, rows=2, rejected=1),
        TakenFile("copy.csv", TakenStatus.KNOWN, rows=2, rejected=1),
    ]
    assert len(lake.catalog.ingests("acts")) == 1


@pytest.mark.parametrize(
    ("text", "kind"), [(FACTORS, "factor"), ("date,splits\n2014-01-02,2:1\n", "split")], ids=["no header", "no symbol"]
)
def test_files_whose_name_is_their_symbol_may_have_the_same_bytes(
    lake: Lake, tmp_path: Path, text: str, kind: str
) -> None:
    paths = [write(tmp_path, name, text, header="") for name in ("SPY.csv", "QQQ.csv")]

    assert statuses(take(lake, *paths)) == ["accepted", "accepted"]
    assert statuses(take(lake, *paths, at="2021-01-01")) == ["known", "known"]
    assert known(lake) == [f"QQQ 2014-01-02 {kind}", f"SPY 2014-01-02 {kind}"]


def test_a_file_adds_to_what_is_known_and_corrects_it(lake: Lake, tmp_path: Path) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT))
    corrected = SPLIT.replace("7", "4")

    take(lake, write(tmp_path, "b.csv", corrected + DIVIDEND), at="2021-01-01")

    assert known(lake) == ["AAPL 2014-05-08 cash_dividend", "AAPL 2014-06-09 split"]
    assert known_actions(lake, ACTIONS)["ratio"].to_pylist() == [None, 4.0]


def test_a_file_that_goes_back_to_what_it_said_says_it_again(lake: Lake, tmp_path: Path) -> None:
    for at, ratio in (("2020-01-01", "7"), ("2021-01-01", "4"), ("2022-01-01", "7")):
        (taken,) = take(lake, write(tmp_path, "a.csv", SPLIT.replace("7", ratio)), at=at)
        assert taken.status is TakenStatus.ACCEPTED

    assert known_actions(lake, ACTIONS)["ratio"].to_pylist() == [7.0]
    assert known_actions(lake, ACTIONS, us("2021-06-01"))["ratio"].to_pylist() == [4.0]


def test_a_refused_file_is_recorded_once_and_leaves_the_others_alone(lake: Lake, tmp_path: Path) -> None:
    bad, good = write(tmp_path, "bad.csv", "x\n", header="nothing,known\n"), write(tmp_path, "good.csv", SPLIT)

    first = take(lake, bad, good)
    second = take(lake, bad, good, at="2021-01-01")

    assert statuses(first) == ["refused", "accepted"]
    assert statuses(second) == ["refused", "known"]
    assert first[0].rule is not None
    assert (second[0].rule, second[0].message) == (first[0].rule, first[0].message)
    assert [ingest.status for ingest in lake.catalog.ingests("acts")] == ["refused", "accepted"]
    assert known(lake) == ["AAPL 2014-06-09 split"]


def test_a_content_is_read_again_once_it_is_to_be_read_another_way(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, "AAPL.csv", FACTORS, header="")
    take(lake, path)
    pinned = Reference("acts", ReferenceKind.CORPORATE_ACTIONS, style="lean_factors")

    assert statuses(take(lake, path, at="2021-01-01", reference=pinned)) == ["accepted"]
    assert statuses(take(lake, path, at="2022-01-01", reference=pinned)) == ["known"]


@pytest.mark.parametrize("mode", list(ReferenceMode))
def test_a_raw_part_that_was_lost_is_written_again(lake: Lake, tmp_path: Path, mode: ReferenceMode) -> None:
    path = write(tmp_path, "a.csv", SPLIT)
    take(lake, path, mode=mode)
    (standing,) = lake.catalog.standing_parts("acts")
    (lake.layout.root / standing.part.path).unlink()

    assert statuses(take(lake, path, at="2021-01-01", mode=mode)) == ["accepted"]

    assert known(lake) == ["AAPL 2014-06-09 split"]
    assert known_actions(lake, ACTIONS, us("2020-06-01"))["kind"].to_pylist() == ["split"]


def test_compressed_files_are_unpacked_and_damaged_ones_refused(lake: Lake, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.csv.gz", tmp_path / "cut.csv.gz"
    whole.write_bytes(gzip.compress((HEADER + SPLIT).encode()))
    cut.write_bytes(gzip.compress((HEADER + DIVIDEND).encode())[:-6])

    taken = take(lake, str(whole), str(cut))

    assert [(file.status, file.rule) for file in taken] == [("accepted", None), ("refused", "compression_damaged")]
    assert known(lake) == ["AAPL 2014-06-09 split"]


def test_a_file_that_is_not_there_is_left(lake: Lake, tmp_path: Path) -> None:
    (taken,) = take(lake, str(tmp_path / "gone.csv"))

    assert taken.status is TakenStatus.LEFT
    assert "gone.csv" in (taken.message or "")
    assert lake.catalog.ingests("acts") == []


def test_instruments_are_taken_in_alike(lake: Lake, tmp_path: Path) -> None:
    reference = Reference("names", ReferenceKind.INSTRUMENTS)
    path = write(tmp_path, "i.csv", "META,FB,2012-05-18,2022-06-08\n", header="instrument_id,symbol,from,to\n")

    assert statuses(take(lake, path, reference=reference)) == ["accepted"]

    (standing,) = lake.catalog.standing_parts("names")
    assert standing.part.tbl == "raw_instruments"
    assert (standing.ingest.first_ts_us, standing.ingest.last_ts_us) == (us("2012-05-18"), us("2012-05-18"))
    assert known_instruments(lake, reference)["instrument_id"].to_pylist() == ["META"]


def own(lake: Lake, path: Path | str | None, reference: Reference = ACTIONS, at: str = "2020-01-01") -> list[TakenFile]:
    return take_in_own_files(lake, reference, None if path is None else str(path), IntakeRun("run", us(at)))


def test_a_folder_brings_its_new_and_changed_files(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder, "a.csv", SPLIT)
    write(folder, "b.csv", DIVIDEND)

    assert statuses(own(lake, folder)) == ["accepted", "accepted"]
    write(folder, "b.csv", DIVIDEND.replace("3.29", "3.30"))
    assert statuses(own(lake, folder)) == ["known", "accepted"]
    assert known_actions(lake, ACTIONS)["amount"].to_pylist() == [3.30, None]


def test_no_path_and_nothing_there_yet_bring_nothing(lake: Lake, tmp_path: Path) -> None:
    assert own(lake, None) == []
    assert own(lake, tmp_path / "not there") == []
    with pytest.raises(SourceUnavailable):
        own(lake, "memory://not/there")


@pytest.mark.parametrize(("mode", "expected"), [(ReferenceMode.UPSERT, ["accepted", "left"]), (REPLACE, ["left"])])
def test_a_file_that_is_being_written_is_left(
    lake: Lake, tmp_path: Path, mode: ReferenceMode, expected: list[str]
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder, "a.csv", SPLIT)
    reference = Reference("acts", ReferenceKind.CORPORATE_ACTIONS, mode=mode)

    with open(write(folder, "b.csv", DIVIDEND), "a", encoding="utf-8") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        taken = own(lake, folder, reference)

    assert statuses(taken) == expected
