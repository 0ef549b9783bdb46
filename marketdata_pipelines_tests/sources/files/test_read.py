"""Any bytes give rows or a refusal, nothing else; and the same rows every time."""

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines_tests.sources.files.conftest import HEADER, build_feed, read_whole

Write = Callable[[str, str | bytes], str]


def _parquet() -> bytes:
    target = io.BytesIO()
    minutes = [1381152600 + 60 * minute for minute in range(20)]
    prices = {name: [1.5] * 20 for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"symbol": ["SPY"] * 20, "ts": minutes, **prices, "volume": [100] * 20}), target)
    return target.getvalue()


CSV = HEADER + "".join(f"SPY,2013-11-03 01:{minute}:00,1,2,0.5,1.5,100\n" for minute in range(30, 50))
JSON = [{"symbol": "SPY", "t": 1381152600 + 60 * m, "o": 1, "h": 2, "l": 0.5, "c": 1.5, "v": 10} for m in range(9)]
SEEDS: dict[str, bytes] = {
    "a.csv": CSV.encode(),
    "b.csv": CSV.encode("utf-16"),
    "SPY.csv": "\n".join(
        line.partition(",")[2].replace("2013-11-03", "03/11/2013") for line in CSV.splitlines()
    ).encode(),
    "c.csv.gz": gzip.compress(CSV.encode()),
    "c.csv.zst": zstandard.compress(CSV.encode()),
    "c.csv.bz2": bz2.compress(CSV.encode()),
    "c.csv.xz": lzma.compress(CSV.encode()),
    "d.jsonl": "\n".join(json.dumps(record) for record in JSON).encode(),
    "e.json": json.dumps(JSON).encode(),
    "BTC.json": json.dumps([list(record.values())[1:] for record in JSON]).encode(),
    "f.parquet": _parquet(),
}
FEEDS = (
    *(build_feed(), build_feed("1d"), build_feed(timezone="America/New_York"), build_feed(symbol="X")),
    *(build_feed(format="csv"), build_feed(format="jsonl"), build_feed(encoding="latin-1", header=False)),
)
PIECES = (
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"1e999",
    b"nan",
    b"{",
    b"]",
    b"0x",
    b"9" * 25,
    b"\\ud800",
    b"+99:99",
)
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))),
    max_size=6,
)


def rows_or_refusal(path: str, feed: Feed) -> list[pa.Table] | SourceRejected:
    try:
        return outcome(path, feed)
    except SourceRejected as refused:
        return refused


def outcome(path: str, feed: Feed) -> list[pa.Table]:
    tables = []
    for chunk in read_file(path, feed, chunk_bytes=1):
        chunk.table.validate(full=True)
        texts = chunk.originals(np.arange(chunk.table.num_rows))
        assert all(isinstance(text, str) for text in texts)
        tables.append(chunk.table)
    return tables


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SEEDS)), edits, st.sampled_from(FEEDS))
def test_damaged_files_give_rows_or_a_refusal(
    write: Write, name: str, changes: list[tuple[float, int, bytes]], feed: Feed
) -> None:
    data = bytearray(SEEDS[name])
    for place, removed, added in changes:
        at = int(place * len(data))
        data[at : at + removed] = added
    path = write(name, bytes(data))

    found = rows_or_refusal(path, feed)

    assert isinstance(found, SourceRejected) or sum(table.num_rows for table in found) > 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("a.csv", "a.json", "a.parquet", "a.xlsx", "a.csv.gz")),
    st.binary(max_size=300),
    st.sampled_from(FEEDS),
)
def test_any_bytes_give_rows_or_a_refusal(write: Write, name: str, data: bytes, feed: Feed) -> None:
    path = write(name, data)

    found = rows_or_refusal(path, feed)

    assert not isinstance(found, SourceRejected) or str(found).startswith(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet='SPY123.,":-TZ \t\u00e9\0', max_size=30), max_size=20))
def test_no_data_row_is_lost(write: Write, noise: list[str]) -> None:
    good = "SPY,2013-10-07T13:30:00Z,1,2,0.5,1.5,100"
    lines = [line for text in noise for line in (good, text)] + [good] * 5
    path = write("a.csv", HEADER + "\n".join(lines))

    found = read_whole(path, build_feed())

    assert found.originals == [line for line in lines if line.strip()]
    assert found.column("row") == list(range(1, len(found.originals) + 1))


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_the_same_file_gives_the_same_tables(write: Write, name: str) -> None:
    path = write(name, SEEDS[name])

    first, second = (pa.concat_tables(outcome(path, build_feed())) for _ in range(2))

    assert first.equals(second)


def test_a_file_damaged_behind_its_head_is_refused_while_it_is_read(write: Write) -> None:
    rows = "".join(f"SPY,2013-10-07T13:30:{second % 60:02d}Z,1,2,0.5,1.5,{second}\n" for second in range(60_000))
    packed = gzip.compress((HEADER + rows).encode())
    path = write("a.csv.gz", packed[:-10])
    plan = plan_file(path, build_feed())

    with pytest.raises(SourceRejected) as refused:
        list(read_file(path, build_feed(), plan, chunk_bytes=1 << 20))

    assert refused.value.rule == "compression_damaged"
