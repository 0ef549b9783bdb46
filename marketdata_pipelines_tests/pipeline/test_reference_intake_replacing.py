"""Files of reference data that are the whole truth: what they leave out stands no longer."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from marketdata_pipelines.domain.references import Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.pipeline.reference_intake import TakenStatus
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.reference_files import (
    BAD,
    DIVIDEND,
    SPLIT,
    known,
    statuses,
    take,
    write,
)

REPLACE = ReferenceMode.REPLACE


def test_a_replacement_deletes_what_it_leaves_out(lake: Lake, tmp_path: Path) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT), write(tmp_path, "b.csv", DIVIDEND))

    assert statuses(take(lake, write(tmp_path, "c.csv", DIVIDEND + "MSFT,2003-02-18,split,2,\n"), mode=REPLACE)) == [
        "accepted"
    ]

    assert known(lake) == ["AAPL 2014-05-08 cash_dividend", "MSFT 2003-02-18 split"]
    modes = [(ingest.file, ingest.mode) for ingest in lake.catalog.ingests("acts")]
    assert modes == [("a.csv", "upsert"), ("b.csv", "upsert"), ("c.csv", "replace_window")]


def test_the_files_of_one_replacement_are_the_whole_truth_together(lake: Lake, tmp_path: Path) -> None:
    first = [write(tmp_path, "a.csv", SPLIT), write(tmp_path, "b.csv", DIVIDEND)]

    assert statuses(take(lake, *first, mode=REPLACE)) == ["accepted", "accepted"]
    assert statuses(take(lake, *first, at="2021-01-01", mode=REPLACE)) == ["known", "known"]
    assert known(lake) == ["AAPL 2014-05-08 cash_dividend", "AAPL 2014-06-09 split"]

    assert statuses(take(lake, first[1], at="2022-01-01", mode=REPLACE)) == ["accepted"]
    assert known(lake) == ["AAPL 2014-05-08 cash_dividend"]


def test_what_a_replacement_deleted_can_come_again(lake: Lake, tmp_path: Path) -> None:
    split, dividend = write(tmp_path, "a.csv", SPLIT), write(tmp_path, "b.csv", DIVIDEND)
    take(lake, split)
    take(lake, dividend, at="2021-01-01", mode=REPLACE)

    assert statuses(take(lake, split, at="2022-01-01")) == ["accepted"]

    assert known(lake) == ["AAPL 2014-05-08 cash_dividend", "AAPL 2014-06-09 split"]


def test_what_was_replaced_stays_gone_when_the_replacement_comes_again_as_an_addition(
    lake: Lake, tmp_path: Path
) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT))
    take(lake, write(tmp_path, "b.csv", DIVIDEND), at="2021-01-01", mode=REPLACE)
    take(lake, write(tmp_path, "b.csv", DIVIDEND.replace("3.29", "3.30")), at="2022-01-01")

    take(lake, write(tmp_path, "b.csv", DIVIDEND), at="2023-01-01")

    assert known(lake) == ["AAPL 2014-05-08 cash_dividend"]


def test_a_replacement_deletes_also_what_was_added_since_the_same_one(lake: Lake, tmp_path: Path) -> None:
    truth = write(tmp_path, "truth.csv", DIVIDEND)
    take(lake, truth, mode=REPLACE)
    take(lake, write(tmp_path, "more.csv", SPLIT), at="2021-01-01")

    assert statuses(take(lake, truth, at="2022-01-01", mode=REPLACE)) == ["accepted"]

    assert known(lake) == ["AAPL 2014-05-08 cash_dividend"]


def test_a_replacement_that_was_killed_in_between_deletes_nothing_until_it_is_run_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(lake, write(tmp_path, "old.csv", "IBM,1999-05-27,split,2,\n"))
    files = [write(tmp_path, "a.csv", SPLIT), write(tmp_path, "b.csv", DIVIDEND)]
    record = lake.catalog.record_ingest

    def dies_after_one(ingest: Ingest, parts: Iterable[RawPart]) -> int:
        if ingest.file == "b.csv":
            raise KeyboardInterrupt
        return record(ingest, parts)

    with monkeypatch.context() as patch:
        patch.setattr(lake.catalog, "record_ingest", dies_after_one)
        with pytest.raises(KeyboardInterrupt):
            take(lake, *files, at="2021-01-01", mode=REPLACE)

    assert known(lake) == ["AAPL 2014-06-09 split", "IBM 1999-05-27 split"]
    assert statuses(take(lake, *files, at="2022-01-01", mode=REPLACE)) == ["accepted", "accepted"]
    assert known(lake) == ["AAPL 2014-05-08 cash_dividend", "AAPL 2014-06-09 split"]


@pytest.mark.parametrize("bad", ["", BAD])
def test_a_replacement_by_nothing_usable_is_refused(lake: Lake, tmp_path: Path, bad: str) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT))

    (taken,) = take(lake, write(tmp_path, "b.csv", bad), at="2021-01-01", mode=REPLACE)

    assert taken.status is TakenStatus.REFUSED
    assert known(lake) == ["AAPL 2014-06-09 split"]


def test_a_replacement_is_all_or_nothing(lake: Lake, tmp_path: Path) -> None:
    take(lake, write(tmp_path, "a.csv", SPLIT))
    bad, good = write(tmp_path, "bad.csv", "x\n", header="nothing,known\n"), write(tmp_path, "good.csv", DIVIDEND)

    taken = take(lake, bad, good, at="2021-01-01", mode=REPLACE)

    assert sorted((file.file, str(file.status)) for file in taken) == [("bad.csv", "refused"), ("good.csv", "left")]
    assert known(lake) == ["AAPL 2014-06-09 split"]


def test_a_reference_says_itself_whether_its_files_replace(lake: Lake, tmp_path: Path) -> None:
    reference = Reference("acts", ReferenceKind.CORPORATE_ACTIONS, mode=REPLACE)
    take(lake, write(tmp_path, "a.csv", SPLIT), reference=reference)

    take(lake, write(tmp_path, "b.csv", DIVIDEND), reference=reference, at="2021-01-01")

    assert known(lake, reference) == ["AAPL 2014-05-08 cash_dividend"]
