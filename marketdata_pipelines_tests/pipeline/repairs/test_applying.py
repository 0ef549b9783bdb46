"""Repairs as raw parts: known from then on, once, never in place, and withdrawn again."""

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.repairs.records import Repair
from marketdata_pipelines.errors import BarsInvalid, StoreError
from marketdata_pipelines.pipeline.corrections import corrections_of
from marketdata_pipelines.pipeline.ingest import IngestStatus
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.quality.events import quality_events
from marketdata_pipelines.pipeline.repairs.applying import (
    RepairStatus,
    apply_repairs,
    check_repair,
    standing_repairs,
    undo_repair,
)
from marketdata_pipelines.pipeline.repairs.documents import read_record
from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion, propose_repairs
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.ledger import PulledWindow
from marketdata_pipelines_tests.builders import LATER, lake_files, make_feed, source_of, take_in, walk_stale
from marketdata_pipelines_tests.repair_lakes import (
    DAY,
    OPEN_US,
    SESSION_MINUTES,
    apply_all,
    changed,
    find,
    load,
    stored_bars,
    values_of,
    walking_prices,
)

CLEAN = walking_prices("A")
AT = 100
SWAPPED = {AT: {"high": CLEAN[AT]["low"], "low": CLEAN[AT]["high"]}}
LATE = LATER + HOUR_US


@pytest.fixture
def feed() -> Feed:
    return make_feed()


@pytest.fixture
def broken(lake: Lake, feed: Feed) -> Lake:
    """A lake of one session in which one bar has high and low swapped."""
    load(lake, feed, changed(CLEAN, SWAPPED))
    return lake


def proposed(lake: Lake, feed: Feed) -> list[Repair]:
    return list(propose_repairs(lake, feed, RepairQuestion()))


def test_an_applied_repair_gives_the_bars_of_the_clean_file(broken: Lake, feed: Feed) -> None:
    before = lake_files(broken)

    (report,) = apply_all(broken, feed)

    assert (report.status, report.partition, report.rows) == (RepairStatus.APPLIED, DAY, 1)
    assert stored_bars(broken, feed) == values_of(CLEAN)
    raw = {name: content for name, content in before.items() if name.startswith("raw_")}
    assert {name: lake_files(broken)[name] for name in raw} == raw


def test_as_of_before_a_repair_the_unrepaired_bars_are_answered(broken: Lake, feed: Feed) -> None:
    unrepaired = stored_bars(broken, feed)
    apply_all(broken, feed, known_at=LATE)

    past = PastTables(broken, feed, as_of_us=LATE - 1).read("validated_bars", DAY)
    now = PastTables(broken, feed, as_of_us=LATE).read("validated_bars", DAY)

    assert len(unrepaired) == SESSION_MINUTES - 1
    assert values_of(past.to_pylist()) == unrepaired
    assert values_of(now.to_pylist()) == values_of(CLEAN)


def test_an_applied_repair_is_proposed_no_more_and_applying_it_again_does_nothing(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    apply_all(broken, feed)
    ingests = len(broken.catalog.ingests(feed.name))

    again = list(apply_repairs(broken, feed, [repair], run_id="again", clock=lambda: LATE))

    assert [report.status for report in again] == [RepairStatus.KNOWN]
    assert len(broken.catalog.ingests(feed.name)) == ingests
    assert proposed(broken, feed) == []


def test_an_undone_repair_leaves_the_bars_as_they_were_and_can_be_applied_again(broken: Lake, feed: Feed) -> None:
    unrepaired = stored_bars(broken, feed)
    (repair,) = proposed(broken, feed)
    apply_all(broken, feed)

    undo_repair(broken, feed, repair.id, run_id="undo", clock=lambda: LATE)
    walk_stale(broken, feed)
    undone = stored_bars(broken, feed)
    (report,) = apply_all(broken, feed, known_at=LATE + 2)

    assert undone == unrepaired
    assert report.status is RepairStatus.APPLIED
    assert stored_bars(broken, feed) == values_of(CLEAN)


def test_undoing_what_is_not_applied_names_what_is(broken: Lake, feed: Feed) -> None:
    (report,) = apply_all(broken, feed)

    with pytest.raises(StoreError, match=f"no repair 2024-03-08-00000000 of feed is applied; applied: {report.id}"):
        undo_repair(broken, feed, "2024-03-08-00000000", run_id="undo", clock=lambda: LATE)


def test_the_ledger_keeps_the_repairs_evidence_and_release(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    apply_all(broken, feed)

    ((name, (ingest, partition)),) = standing_repairs(broken, feed).items()
    record = read_record(broken, feed.name, ingest.path)

    assert (name, partition, ingest.run_id, ingest.file) == (repair.id, DAY, "repairing", f"repair-{repair.id}")
    assert (record.id, record.kind, record.evidence) == (repair.id, "high_low_swapped", repair.evidence)
    assert record.code_version == ingest.code_version


def test_the_log_of_quality_tells_of_repairs_applied_and_undone(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    apply_all(broken, feed)
    undo_repair(broken, feed, repair.id, run_id="undo", clock=lambda: LATE)

    told = [row for row in quality_events(broken, feed.name).to_pylist() if row["event"] == "repaired"]

    assert [(row["partition"], row["symbol"], row["rule"]) for row in told] == [
        (DAY, "A", "high_below_low"),
        (DAY, None, None),
    ]
    assert told[0]["detail"].startswith(f"{repair.id} high_low_swapped, rows 1: high ")
    assert told[1]["detail"] == f"{repair.id} undone"


def test_a_changed_bar_is_told_as_a_correction_caused_by_the_repair(lake: Lake, feed: Feed) -> None:
    price = CLEAN[AT]
    load(
        lake,
        feed,
        changed(CLEAN, {AT: {name: round(price[name] * 10, 2) for name in ("open", "high", "low", "close")}}),
    )
    find(lake, feed, {"rule": "price_spike", "symbol": "A", "ts": OPEN_US + AT * MINUTE_US})

    apply_all(lake, feed)

    (correction,) = corrections_of(lake, feed, DAY).to_pylist()
    assert (correction["kind"], correction["cause"], correction["previous_file"]) == ("changed", "repair", "bars.csv")
    assert (correction["old_close"], correction["new_close"]) == (round(price["close"] * 10, 2), price["close"])


def test_a_row_that_would_be_rejected_again_is_refused_before_anything_is_written(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    before, ingests = lake_files(broken), len(broken.catalog.ingests(feed.name))

    with pytest.raises(BarsInvalid, match=r"1 rows that are rejected again, such as A 2024-03-08T16:10:00Z \(future\)"):
        list(apply_repairs(broken, feed, [repair], run_id="run", clock=lambda: OPEN_US))

    assert (lake_files(broken), len(broken.catalog.ingests(feed.name))) == (before, ingests)


def test_a_row_of_another_partition_is_refused(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    elsewhere = Repair(
        repair.feed, repair.kind, "2024-03-07", repair.symbols, repair.session, repair.first_us, repair.last_us,
        repair.rows, repair.replaces, repair.confidence, repair.evidence, repair.rule,
    )  # fmt: skip

    with pytest.raises(BarsInvalid, match="belongs to another partition"):
        check_repair(broken, feed, elsewhere, LATE)


def test_a_dropped_bar_is_a_recorded_deletion_of_that_bar_only(lake: Lake, feed: Feed) -> None:
    other = walking_prices("B", seed=2)
    odd = changed(CLEAN, {AT: dict.fromkeys(("open", "high", "low", "close"), 151.0)})
    load(lake, feed, [*odd, *other])
    find(lake, feed, {"rule": "price_spike", "symbol": "A", "ts": OPEN_US + AT * MINUTE_US})

    (report,) = apply_all(lake, feed)

    assert report.rows == 0
    assert stored_bars(lake, feed) == values_of([*CLEAN[:AT], *CLEAN[AT + 1 :], *other])
    assert corrections_of(lake, feed, DAY)["kind"].to_pylist() == ["removed"]


def test_of_two_repairs_of_a_bar_the_less_sure_one_is_left(broken: Lake, feed: Feed) -> None:
    (repair,) = proposed(broken, feed)
    rows = repair.rows.set_column(6, "volume", repair.rows["volume"].cast("float64").fill_null(0).combine_chunks())
    rival = Repair(
        repair.feed, repair.kind, DAY, repair.symbols, repair.session, repair.first_us, repair.last_us,
        rows, True, repair.confidence / 2, "rival", repair.rule,
    )  # fmt: skip

    reports = list(apply_repairs(broken, feed, [rival, repair], run_id="run", clock=lambda: LATE))

    assert {report.id: report.status for report in reports} == {
        rival.id: RepairStatus.OVERLAPS,
        repair.id: RepairStatus.APPLIED,
    }


def test_what_a_vendor_said_before_a_repair_is_known_and_does_not_undo_it(lake: Lake, feed: Feed) -> None:
    window = PulledWindow(DAY, "exchange", OPEN_US, OPEN_US + 390 * MINUTE_US, ("A",), complete=True, settled=True)
    answer = replace(source_of("answer", changed(CLEAN, SWAPPED)), pulled=window)
    load(lake, feed, answer)
    apply_all(lake, feed)

    (report,) = take_in(lake, feed, answer, known_at=LATE)

    assert report.status is IngestStatus.KNOWN
    assert stored_bars(lake, feed) == values_of(CLEAN)


def test_a_file_that_comes_later_stands_over_a_repair(broken: Lake, feed: Feed) -> None:
    apply_all(broken, feed)
    corrected = CLEAN[AT] | {"volume": 7.0}

    take_in(broken, feed, source_of("later.csv", [corrected]), known_at=LATE)
    walk_stale(broken, feed)

    assert stored_bars(broken, feed) == values_of(changed(CLEAN, {AT: {"volume": 7.0}}))


@settings(max_examples=12, phases=(Phase.explicit, Phase.generate), deadline=None)
@given(
    seed=st.integers(1, 10_000),
    price=st.sampled_from([3.5, 18.0, 168.0, 2400.0]),
    broken=st.dictionaries(
        st.integers(8, SESSION_MINUTES - 8).map(lambda at: at // 6 * 6),
        st.sampled_from(["swap", "sign", "x10", "x100", "/10", "volume"]),
        min_size=1,
        max_size=6,
    ),
    shift=st.sampled_from([0, 0, 60, -120]),
)
def test_what_was_broken_and_repaired_equals_what_was_never_broken(
    tmp_path_factory: pytest.TempPathFactory, seed: int, price: float, broken: dict[int, str], shift: int
) -> None:
    feed, lake = make_feed(), Lake(tmp_path_factory.mktemp("lake"))
    clean, other = walking_prices("A", seed, price), walking_prices("B", seed + 1, price)
    moved = [row | {"ts": row["ts"] + shift * MINUTE_US} for row in other]
    load(lake, feed, [*changed(clean, {at: break_bar(clean[at], how) for at, how in broken.items()}), *moved])
    spikes = [at for at, how in broken.items() if how in ("x10", "x100", "/10")]
    findings = [{"rule": "price_spike", "symbol": "A", "ts": OPEN_US + at * MINUTE_US} for at in spikes]
    if shift:
        findings.append({"rule": "time_shift", "symbol": "B", "ts": moved[0]["ts"], "ts_last": moved[-1]["ts"]})
    find(lake, feed, *findings)

    apply_all(lake, feed, least=0.5)

    assert stored_bars(lake, feed) == values_of([*clean, *other])


def break_bar(row: dict[str, float], how: str) -> dict[str, float]:
    """A bar's values as a known fault leaves them."""
    prices = {name: row[name] for name in ("open", "high", "low", "close")}
    if how == "swap":
        return {"high": row["low"], "low": row["high"]}
    if how == "sign":
        return {"open": -row["open"]}
    if how == "volume":
        return {"volume": -row["volume"]}
    factor = {"x10": 10.0, "x100": 100.0, "/10": 0.1}[how]
    return {name: float(f"{value * factor:.12g}") for name, value in prices.items()}
