"""Loads, corrections, deletions, reference changes in any order: each earlier answer is a fresh lake's of that time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines_tests.builders import Row, bar, lake_files, make_home, source_of, take_in, us, walk_stale

FEEDS = """
references:
  actions: {kind: corporate_actions}
  instruments: {kind: instruments}
feeds:
  us:
    {source: {kind: files}, interval: 1h, calendar: XNYS, partition: day, corporate_actions: actions,
     instruments: instruments}
"""
FIRST, HOUR = us("2024-03-01 00:00"), 3_600_000_000
DAYS = ("2024-01-04", "2024-01-05", "2024-01-08")
ACTIONS = (
    "symbol,ex_date,kind,ratio,amount\nA,2024-01-05,split,2,\n",
    "symbol,ex_date,kind,ratio,amount\nA,2024-01-08,cash_dividend,,1\nB,2024-01-05,split,4,\n",
    "symbol,ex_date,kind,ratio,amount,status\nA,2024-01-05,split,2,,cancelled\n",
)
INSTRUMENTS = (
    "instrument_id,symbol,from,to,type\none,A,2020-01-01,2024-01-04,equity\none,B,2024-01-05,,equity\n",
    "instrument_id,symbol,from,to,type\ntwo,A,2024-01-05,,equity\n",
)


@dataclass(frozen=True)
class Load:
    content: int
    rows: tuple[tuple[str, str, int, float], ...]
    mode: IngestMode


@dataclass(frozen=True)
class Refer:
    name: str
    text: str


ROW = st.tuples(st.sampled_from("AB"), st.sampled_from(DAYS), st.integers(15, 18), st.sampled_from([8.0, 9.5, 10.25]))
STEP = st.one_of(
    st.builds(
        Load,
        st.integers(0, 2),
        st.lists(ROW, min_size=1, max_size=6).map(tuple),
        st.sampled_from(list(IngestMode)),
    ),
    st.builds(Refer, st.just("actions"), st.sampled_from(ACTIONS)),
    st.builds(Refer, st.just("instruments"), st.sampled_from(INSTRUMENTS)),
)


def build(folder: Path, steps: Sequence[Load | Refer]) -> LakeReader:
    reader = LakeReader(make_home(folder, FEEDS))
    feed, contents = reader.feed("us"), dict[int, tuple[tuple[str, str, int, float], ...]]()
    for number, step in enumerate(steps):
        known_us = FIRST + number * HOUR
        if isinstance(step, Refer):
            path = folder / f"{step.name}-{number}.csv"
            path.write_text(step.text)
            reference = load_references(folder / "feeds.yaml")[step.name]
            take_in_reference(reader.lake, reference, [str(path)], IntakeRun("run", known_us))
            continue
        rows = contents.setdefault(step.content, step.rows)
        parsed = [bar(symbol, f"{day} {hour}:00", price) for symbol, day, hour, price in rows]
        before = lake_files(reader.lake)
        take_in(reader.lake, feed, source_of(f"file-{step.content}", parsed), known_at=known_us, mode=step.mode)
        walk_stale(reader.lake, feed)
        assert_unchanged_rows_keep_their_bytes(reader, before)
    return reader


def assert_unchanged_rows_keep_their_bytes(reader: LakeReader, before: dict[str, bytes]) -> None:
    for name, content in lake_files(reader.lake).items():
        if name in before and name.endswith(".parquet") and before[name] != content:
            old, new = pq.read_table(pa.BufferReader(before[name])), pq.read_table(pa.BufferReader(content))
            assert not old.equals(new), name


def answers(reader: LakeReader, as_of: str | None) -> dict[str, list[Row] | str]:
    found: dict[str, list[Row] | str] = {}
    for timeframe in ("1h", "1d", "1w"):
        for adjustment in ("raw", "total"):
            try:
                bars = reader.bars(
                    "us", None, timeframe, "2024-01-01", "2024-01-12",
                    as_of=as_of, adjustment=adjustment, instrument_ids=True,
                )  # fmt: skip
            except PartitionMissing:
                found[f"{timeframe} {adjustment}"] = "nothing"
            else:
                found[f"{timeframe} {adjustment}"] = bars.to_pylist()
    return found


@given(steps=st.lists(STEP, min_size=1, max_size=5))
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_every_earlier_answer_is_the_one_given_then(steps: list[Load | Refer]) -> None:
    with TemporaryDirectory() as folder:
        whole = build(Path(folder) / "whole", steps)

        for known in range(1, len(steps) + 1):
            fresh = build(Path(folder) / f"fresh-{known}", steps[:known])
            instant = FIRST + (known - 1) * HOUR
            as_of = f"2024-03-01T{(instant - FIRST) // HOUR:02d}:00:00Z"

            assert answers(whole, as_of) == answers(fresh, None)


def test_a_scenario_with_everything_in_it(tmp_path: Path) -> None:
    rows = tuple((symbol, day, 15, 8.0) for symbol in "AB" for day in DAYS)
    steps: list[Load | Refer] = [
        Load(0, rows, IngestMode.UPSERT),
        Refer("actions", ACTIONS[1]),
        Refer("instruments", INSTRUMENTS[0]),
        Load(1, (("A", "2024-01-05", 15, 10.25),), IngestMode.REPLACE_WINDOW),
        Refer("actions", ACTIONS[0]),
    ]
    whole = build(tmp_path / "whole", steps)

    then = answers(whole, "2024-03-01T02:00:00Z")

    assert then == answers(build(tmp_path / "fresh", steps[:3]), None)
    assert then != answers(whole, None)


@pytest.mark.parametrize("as_of", ["2024-02-29T23:59:59Z"])
def test_before_the_first_load_there_is_nothing(tmp_path: Path, as_of: str) -> None:
    whole = build(tmp_path / "whole", [Load(0, (("A", DAYS[0], 15, 8.0),), IngestMode.UPSERT)])

    assert set(answers(whole, as_of).values()) == {"nothing"}
