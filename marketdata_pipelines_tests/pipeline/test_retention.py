"""Raw parts of which nothing counts lose their files when the feed says so, and no answer of today changes."""

from dataclasses import replace
from random import Random

import pytest

from marketdata_pipelines.domain.feeds import Feed, Keep, SourceKind, SourceSpec
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.retention import remove_superseded, superseded_parts
from marketdata_pipelines.pipeline.upkeep import lake_status
from marketdata_pipelines.pipeline.verifying import verify_files
from marketdata_pipelines.stores.lake.catalog import Ingest, PulledWindow, RawPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import write_file
from marketdata_pipelines.stores.lake.removals import Removal
from marketdata_pipelines_tests.builders import (
    Row,
    make_feed,
    minutes,
    raw_bars,
    source_of,
    take_in,
    us,
    walk_keys,
    walk_stale,
)

FEED = make_feed(keep=Keep(superseded_raw_days=365))
DAY = "2024-03-08"
LATER_US = us("2026-06-01 12:00")


def rows(count: int, price: float = 100.0, symbol: str = "A") -> list[Row]:
    return minutes(symbol, f"{DAY} 14:30", count, price)


def bring(lake: Lake, name: str, content: list[Row], hour: int, *, mode: IngestMode = IngestMode.UPSERT) -> None:
    take_in(lake, FEED, source_of(name, content), known_at=f"2024-03-09 {hour:02}:00", mode=mode)


def gone(lake: Lake, feed: Feed = FEED) -> list[str]:
    """The files whose raw parts nothing counts of."""
    names = {part.path: part.part_id for part in lake.catalog.raw_parts(feed.name)}
    by_id = {
        each.part.part_id: each.ingest.file
        for partition in lake.catalog.raw_partitions(feed.name)
        for each in lake.catalog.accepted_parts(feed.name, partition)[0]
    }
    return [by_id[names[part.path]] for part in superseded_parts(lake, feed)]


def bars_now(lake: Lake) -> list[Row]:
    walk_stale(lake, FEED)
    return lake.read("validated_bars", FEED.name, DAY).to_pylist()


def test_without_a_policy_nothing_may_go(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match=r"feed keeps every raw part; .* keep: \{superseded_raw: 365d\}"):
        remove_superseded(lake, make_feed(), now_us=LATER_US)


def test_a_content_that_was_read_again_another_way_lets_its_first_reading_go(lake: Lake) -> None:
    bring(lake, "a.csv", rows(5), 1)
    other = replace(FEED, source=SourceSpec(SourceKind.FILES, timezone="UTC"))
    take_in(lake, other, source_of("a.csv", rows(3)), known_at="2024-03-09 02:00", restart=True)

    (part,) = superseded_parts(lake, FEED)

    assert (part.rows, part.since_us, part.superseders) == (5, us("2024-03-09 02:00"), (2,))


def test_a_part_whose_every_row_was_replaced_goes_and_one_with_a_row_left_stays(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    bring(lake, "later.csv", rows(4, 102.0), 3)

    assert gone(lake) == ["first.csv"]
    (part,) = superseded_parts(lake, FEED)
    assert part.since_us == us("2024-03-09 02:00")


def test_rows_that_are_bad_by_themselves_keep_their_part(lake: Lake) -> None:
    bad = [*rows(2), {**rows(3)[2], "high": 1.0}]
    bring(lake, "bad.csv", bad, 1)
    bring(lake, "good.csv", rows(3, 101.0), 2)

    assert gone(lake) == []


def test_what_a_window_deleted_stays_deleted(lake: Lake) -> None:
    bring(lake, "all.csv", rows(5), 1)
    bring(lake, "window.csv", [rows(5, 101.0)[0], rows(5, 101.0)[4]], 2, mode=IngestMode.REPLACE_WINDOW)
    bring(lake, "again.csv", [rows(5, 102.0)[0], rows(5, 102.0)[4]], 3)

    # Without the window the rows it left out would be back.
    assert gone(lake) == ["all.csv"]

    bring(lake, "wider.csv", rows(5, 103.0), 4, mode=IngestMode.REPLACE_WINDOW)
    assert gone(lake) == ["all.csv", "window.csv", "again.csv"]


def test_removal_changes_no_bar_of_today_and_is_known_of(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    before = bars_now(lake)

    removed = remove_superseded(lake, FEED, now_us=LATER_US)

    assert [part.rows for part in removed] == [3]
    assert not (lake.layout.root / removed[0].path).exists()
    assert bars_now(lake) == before
    assert walk_keys(lake, FEED, Period.DAY, [DAY])[DAY].blocked is None
    assert bars_now(lake) == before
    assert list(verify_files(lake, FEED.name)) == []
    assert lake_status(lake, FEED.name)[0].removed == 1
    assert remove_superseded(lake, FEED, now_us=LATER_US) == []


def test_what_was_known_before_cannot_be_told_any_more_and_later_can(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    remove_superseded(lake, FEED, now_us=LATER_US)

    early = lake.catalog.standing_parts(FEED.name, [DAY], as_of_us=us("2024-03-09 01:30"))
    late = lake.catalog.standing_parts(FEED.name, [DAY], as_of_us=us("2024-03-09 02:00"))

    assert [part.ingest.file for part in late] == ["longer.csv"]
    with pytest.raises(
        PartitionMissing, match=r"of feed 2024-03-08 that was superseded later was removed on 2026-06-01 by the feed's"
    ):
        lake.read_part(FEED.name, early[0].part)


def test_a_part_counts_again_when_what_superseded_it_is_withdrawn(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    remove_superseded(lake, FEED, now_us=LATER_US)
    longer = lake.catalog.ingests(FEED.name)[1]

    lake.catalog.record_ingest(replace(longer, status="refused", known_at_us=LATER_US), [])

    (again,) = lake.catalog.standing_parts(FEED.name, [DAY])
    assert again.ingest.file == "first.csv"
    with pytest.raises(PartitionMissing, match="policy"):
        lake.read_part(FEED.name, again.part)


def test_a_content_brought_again_after_its_removal_counts_as_any_other(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    remove_superseded(lake, FEED, now_us=LATER_US)

    take_in(lake, FEED, source_of("first.csv", rows(3)), known_at="2024-03-09 03:00", restart=True)

    assert [part.ingest.file for part in lake.catalog.standing_parts(FEED.name, [DAY])] == ["longer.csv", "first.csv"]
    assert [row["open"] for row in bars_now(lake)][:3] == [row["open"] for row in rows(3)]
    assert list(verify_files(lake, FEED.name)) == []
    remove_superseded(lake, FEED, now_us=LATER_US)
    assert list(verify_files(lake, FEED.name)) == []
    assert [row["open"] for row in bars_now(lake)][:3] == [row["open"] for row in rows(3)]


def test_what_one_that_was_killed_had_noted_goes_with_the_next(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)
    (part,) = superseded_parts(lake, FEED)
    lake.catalog.removals.record(FEED.name, [Removal(part.path, part.seq, LATER_US, part.superseders)])

    assert remove_superseded(lake, FEED, now_us=LATER_US) == []

    assert not (lake.layout.root / part.path).exists()


def test_the_policy_counts_from_when_nothing_of_a_part_counted(lake: Lake) -> None:
    bring(lake, "first.csv", rows(3), 1)
    bring(lake, "longer.csv", rows(5, 101.0), 2)

    early = remove_superseded(lake, FEED, now_us=us("2025-03-09 01:59"), dry_run=True)
    due = remove_superseded(lake, FEED, now_us=us("2025-03-09 02:00"), dry_run=True)

    assert (early, len(due)) == ([], 1)
    assert (lake.layout.root / due[0].path).exists()


def pull(lake: Lake, name: str, window: PulledWindow, hour: int) -> None:
    table, known_at_us = raw_bars(rows(3, 100.0 + hour)), us(f"2024-03-09 {hour:02}:00")
    path = lake.layout.raw_part_file("raw_bars", FEED.name, DAY, name)
    write_file(path, table, {}, lake.layout.temporary)
    ingest = Ingest(
        FEED.name, name, f"origin://vendor/{name}", name, 1, known_at_us, "run", "replace_window", "accepted", None,
        None, (), "v", "p", "c", "1", 3, window.start_us, window.end_us, pulled=window,
    )  # fmt: skip
    lake.catalog.record_ingest(ingest, [RawPart(DAY, "raw_bars", name, lake.layout.relative(path), 3)])


def test_what_a_vendor_said_while_a_session_ran_goes_once_a_later_answer_covers_it(lake: Lake) -> None:
    window = PulledWindow(DAY, "vendor", us(f"{DAY} 14:30"), us(f"{DAY} 21:00"), ("A",), complete=True, settled=True)
    running = replace(window, end_us=us(f"{DAY} 14:33"), settled=False)

    pull(lake, "running", running, 1)
    assert gone(lake) == []
    pull(lake, "over", window, 2)
    pull(lake, "corrected", window, 3)

    found = {part.path.rpartition("/")[2]: part for part in superseded_parts(lake, FEED)}
    assert sorted(found) == ["over.parquet", "running.parquet"]
    assert (found["running.parquet"].since_us, found["running.parquet"].superseders) == (us("2024-03-09 02:00"), (2,))
    assert (found["over.parquet"].since_us, found["over.parquet"].superseders) == (us("2024-03-09 03:00"), (3,))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_was_brought_every_instant_answers_as_before_or_says_it_cannot(lake: Lake, seed: int) -> None:
    random, instants = Random(seed), [us(f"2024-03-09 {hour:02}:00") for hour in range(1, 9)]
    for hour in range(1, 9):
        some = [row for row in rows(4, 100.0 + hour, random.choice("AB")) if random.random() < 0.7]
        mode = random.choice(list(IngestMode))
        bring(lake, f"{hour}.csv", some or rows(4, 100.0 + hour), hour, mode=mode)
    now = bars_now(lake)
    before = {at: bars_as_of(lake, at) for at in instants}

    removed = remove_superseded(lake, FEED, now_us=LATER_US)

    assert bars_now(lake) == now
    assert before[instants[-1]] == bars_as_of(lake, instants[-1]) == now
    for at in instants:
        if any(part.since_us > at >= known_at(lake, part.path) for part in removed):
            with pytest.raises(PartitionMissing):
                bars_as_of(lake, at)
        else:
            assert bars_as_of(lake, at) == before[at]


def bars_as_of(lake: Lake, as_of_us: int) -> list[Row]:
    bars: list[Row] = PastTables(lake, FEED, as_of_us).read("validated_bars", DAY).to_pylist()
    return bars


def known_at(lake: Lake, path: str) -> int:
    accepted, _ = lake.catalog.accepted_parts(FEED.name, DAY)
    return next(part.ingest.known_at_us for part in accepted if part.part.path == path)
