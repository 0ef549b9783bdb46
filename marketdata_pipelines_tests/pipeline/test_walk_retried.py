"""A partition whose sources change while it is walked: walked again, or given up with nothing stored."""

from collections.abc import Callable
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import SettingsInvalid, WorkFailed
from marketdata_pipelines.quality.checks import ValidatedBatch
from marketdata_pipelines.quality.outcome import CheckOutcome, CheckSpec
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import (
    column,
    lake_files,
    make_feed,
    minutes,
    source_of,
    take_in,
    walk_keys,
    walk_stale,
)

FEED = make_feed()
# Monday and Tuesday are a pair of the 2d bars, whose bucket lies in Monday's partition.
MONDAY, TUESDAY = "2024-03-11", "2024-03-12"
OPENS = {MONDAY: "2024-03-11 13:30", TUESDAY: "2024-03-12 13:30"}
LATE = source_of("late.csv", minutes("B", OPENS[MONDAY], 7))


class Meanwhile:
    """A suite during whose evaluations something else happens: between reading and storing."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self._happens = list(happens)
        self.evaluated = 0

    def specs(self, feed: Feed) -> tuple[CheckSpec, ...]:
        return ()

    def evaluate(self, batch: ValidatedBatch) -> list[CheckOutcome]:
        self.evaluated += 1
        if self._happens:
            self._happens.pop(0)()
        return []


def two_days(lake: Lake) -> None:
    for key, opens in OPENS.items():
        take_in(lake, FEED, source_of(f"{key}.csv", minutes("A", opens, 30)))


def test_a_raw_part_that_comes_in_between_is_walked_too(lake: Lake, tmp_path: Path) -> None:
    two_days(lake)
    suite = Meanwhile(lambda: take_in(Lake(lake.layout.root), FEED, LATE))

    outcome = walk_keys(lake, FEED, Period.DAY, [MONDAY], suites=[suite])[MONDAY]

    assert outcome.passed
    assert suite.evaluated == 2
    assert column(lake.read("bars_1d", "feed", MONDAY), "bar_count") == [30, 7]
    results = {result.asset: result.rows for result in outcome.results}
    assert (results["raw_bars"], results["validated_bars"]) == (37, 37)
    assert list(lake.layout.temporary.iterdir()) == []


def test_what_is_stored_is_what_walking_after_it_stores(lake: Lake, tmp_path: Path) -> None:
    two_days(lake)
    suite = Meanwhile(lambda: take_in(Lake(lake.layout.root), FEED, LATE))
    walk_keys(lake, FEED, Period.DAY, [MONDAY], suites=[suite])
    walk_stale(lake, FEED)
    after = Lake(tmp_path / "after")
    two_days(after)
    take_in(after, FEED, LATE)

    walk_stale(after, FEED)

    assert lake_files(lake) == lake_files(after)


@pytest.mark.parametrize(("first", "second"), [(MONDAY, TUESDAY), (TUESDAY, MONDAY)])
def test_a_neighbour_that_is_walked_in_between_keeps_its_share_of_a_bucket(
    lake: Lake, tmp_path: Path, first: str, second: str
) -> None:
    two_days(lake)
    suite = Meanwhile(lambda: walk_keys(Lake(lake.layout.root), FEED, Period.DAY, [second]))

    outcome = walk_keys(lake, FEED, Period.DAY, [first], suites=[suite])[first]

    assert outcome.passed
    assert suite.evaluated == 2
    assert column(lake.read("bars_2d", "feed", MONDAY), "bar_count") == [60]
    one_by_one = Lake(tmp_path / "one")
    two_days(one_by_one)
    walk_keys(one_by_one, FEED, Period.DAY, [MONDAY, TUESDAY])
    assert lake_files(lake) == lake_files(one_by_one)


def test_a_week_whose_day_changes_in_between_has_the_new_day(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    two_days(lake)
    walk_keys(lake, FEED, Period.DAY, [MONDAY, TUESDAY])
    store = Lake.store
    happens = [lambda: (take_in(Lake(lake.layout.root), FEED, LATE), walk_stale(Lake(lake.layout.root), FEED))]

    def store_later(self: Lake, *arguments: object, **named: object) -> object:
        if happens:
            happens.pop()()
        return store(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "store", store_later)
    outcome = walk_keys(lake, FEED, Period.WEEK, ["2024-03-11"])["2024-03-11"]

    assert outcome.passed
    assert column(lake.read("bars_1w", "feed", "2024-03-11"), "bar_count") == [60, 7]


def test_what_changes_elsewhere_disturbs_nobody(lake: Lake) -> None:
    two_days(lake)
    far = source_of("far.csv", minutes("A", "2024-04-16 13:30", 5))
    suite = Meanwhile(lambda: take_in(Lake(lake.layout.root), FEED, far))

    walk_keys(lake, FEED, Period.DAY, [MONDAY], suites=[suite])

    assert suite.evaluated == 1


def test_sources_that_never_rest_are_an_error_that_names_the_partition(lake: Lake) -> None:
    two_days(lake)
    more = [source_of(f"{n}.csv", minutes("C", OPENS[MONDAY], 1, 50.0 + n)) for n in range(30)]
    suite = Meanwhile(*(lambda source=source: take_in(Lake(lake.layout.root), FEED, source) for source in more))

    with pytest.raises(
        WorkFailed, match="feed stopped at 2024-03-11: its sources changed 20 times while it was walked"
    ):
        walk_keys(lake, FEED, Period.DAY, [MONDAY], suites=[suite])

    assert suite.evaluated == 20
    assert lake.catalog.stored_inputs("feed") == {}
    assert list(lake.layout.temporary.iterdir()) == []


def test_an_error_of_a_check_is_not_tried_again_and_names_the_partition(lake: Lake) -> None:
    two_days(lake)

    def fail() -> None:
        raise SettingsInvalid("the check has no limit")

    suite = Meanwhile(fail)

    with pytest.raises(WorkFailed, match="feed stopped at 2024-03-11: the check has no limit"):
        walk_keys(lake, FEED, Period.DAY, [MONDAY], suites=[suite])

    assert suite.evaluated == 1
    assert lake.catalog.stored_inputs("feed") == {}


def test_a_raw_part_that_cannot_be_read_blocks_its_partition_only(lake: Lake) -> None:
    two_days(lake)
    (part,) = lake.catalog.standing_parts("feed", [MONDAY])
    (lake.layout.root / part.part.path).write_bytes(b"not parquet")

    outcomes = walk_keys(lake, FEED, Period.DAY, [MONDAY, TUESDAY])

    assert "cannot be read" in str(outcomes[MONDAY].blocked)
    assert outcomes[TUESDAY].passed
