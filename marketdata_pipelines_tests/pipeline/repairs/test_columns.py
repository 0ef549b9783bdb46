"""Files refused for swapped columns, read the other way round."""

from pathlib import Path

from marketdata_pipelines.domain.repairs.records import Repair
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import IngestStatus
from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion, named_repairs, propose_repairs
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, take_in, utc
from marketdata_pipelines_tests.repair_lakes import DAY, apply_all, stored_bars, values_of, walking_prices

FEED = make_feed()
CLEAN = [*walking_prices("A"), *walking_prices("B", 2)]


def refused(lake: Lake, folder: Path) -> Path:
    """A file whose header calls the high low and the low high, taken in and refused."""
    lines = [
        f"{row['symbol']},{utc(row['ts'])}:00Z,{row['open']},{row['low']},{row['high']},{row['close']},{row['volume']}"
        for row in CLEAN
    ]
    path = folder / "swapped.csv"
    path.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n", encoding="utf-8")
    (report,) = take_in(lake, FEED, file_source(FEED, str(path)))
    assert (report.status, report.rule) == (IngestStatus.REFUSED, "swapped_columns")
    return path


def proposed(lake: Lake) -> list[Repair]:
    return list(propose_repairs(lake, FEED, RepairQuestion()))


def test_a_refused_file_becomes_the_bars_it_meant(lake: Lake, tmp_path: Path) -> None:
    refused(lake, tmp_path)

    (repair,) = proposed(lake)
    (report,) = apply_all(lake, FEED)

    assert (repair.kind, repair.partition, repair.count, repair.symbols) == ("columns_swapped", DAY, 780, ("A", "B"))
    assert (repair.confidence > 0.99, report.rows) == (True, 780)
    assert stored_bars(lake, FEED) == values_of(CLEAN)
    assert proposed(lake) == []


def test_its_proposal_is_found_by_name_although_nothing_of_the_partition_is_there(lake: Lake, tmp_path: Path) -> None:
    refused(lake, tmp_path)
    (repair,) = proposed(lake)

    (named,) = named_repairs(lake, FEED, [repair.id])

    assert named.id == repair.id


def test_a_file_that_is_gone_or_another_is_advice(lake: Lake, tmp_path: Path) -> None:
    path = refused(lake, tmp_path)
    path.write_text(path.read_text("utf-8").replace("A,", "C,"), encoding="utf-8")
    (changed,) = proposed(lake)
    path.unlink()
    (gone,) = proposed(lake)

    assert changed.advice is not None
    assert gone.advice is not None
    assert "has another content today" in changed.evidence
    assert "is not there any more" in gone.evidence
