"""What is a frame, what is not, and the digest of a table's content."""

import pandas as pd
import pyarrow as pa
import pytest

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.orchestration.io_managers.frames import LazyPartitions, content_revision, parts_of, to_arrow


def test_the_revision_is_of_the_rows_and_not_of_how_they_are_held() -> None:
    plain = pa.table({"symbol": ["AAA", "BBB", "AAA"], "x": [1.0, 2.0, None]})
    chunked = pa.concat_tables([plain.slice(0, 1), plain.slice(1)])
    coded = plain.set_column(0, "symbol", plain["symbol"].dictionary_encode())
    other = plain.set_column(1, "x", pa.chunked_array([[1.0, 2.0, 0.0]]))

    found = [content_revision(table) for table in (plain, chunked, coded)]

    assert len(set(found)) == 1
    assert content_revision(other) != found[0]
    assert content_revision(plain.rename_columns(["symbol", "y"])) != found[0]


def test_the_index_of_a_pandas_frame_counts_only_where_it_has_a_name() -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=[7, 8])

    assert to_arrow(frame, "a").column_names == ["x"]
    assert to_arrow(frame.rename_axis("id"), "a").column_names == ["x", "id"]


def test_a_partition_given_twice_is_refused() -> None:
    part = pa.table({"x": [1]})

    with pytest.raises(SchemaMismatch, match="'b', which this run does not have, or twice"):
        list(parts_of(iter([("b", part), ("b", part)]), ["a", "b"], "x"))


def test_lazy_partitions_read_on_access_and_keep_nothing() -> None:
    asked: list[str] = []

    def read(key: str) -> str:
        asked.append(key)
        return key.upper()

    partitions = LazyPartitions(["a", "b"], read)

    seen = [partitions["b"], partitions["b"]]

    assert (list(partitions), len(partitions), "a" in partitions, "c" in partitions) == (["a", "b"], 2, True, False)
    assert (seen, asked) == (["B", "B"], ["b", "b"])
    with pytest.raises(KeyError):
        partitions["c"]
