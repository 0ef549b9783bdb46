"""Source text by physical line or data row, without parsing the file."""

import gzip
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.files.lines import read_blocks
from marketdata_pipelines.sources.files.placed import PlacedLines, parquet_cells, stored_container


def written(folder: Path, content: bytes, name: str = "a.csv") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_lines_are_numbered_from_one_with_the_header_as_the_first(tmp_path: Path, end: str) -> None:
    path = written(tmp_path, end.join(["symbol,ts", "A,1", "B,2"]).encode())

    assert PlacedLines(path).texts([1, 3]) == {1: "symbol,ts", 3: "B,2"}


def test_line_ends_may_be_mixed_and_blank_lines_count(tmp_path: Path) -> None:
    path = written(tmp_path, b"h\r\nA\rB\n\nC\r\n")

    assert PlacedLines(path).texts(range(1, 9)) == {1: "h", 2: "A", 3: "B", 4: "", 5: "C"}


def test_a_line_break_inside_quotes_ends_the_line_as_it_does_for_reading(tmp_path: Path) -> None:
    path = written(tmp_path, b'h\nA,"one\ntwo",3\nB\n')

    assert PlacedLines(path).texts([2, 3, 4]) == {2: 'A,"one', 3: 'two",3', 4: "B"}


def test_packed_and_converted_files_count_their_unfolded_lines(tmp_path: Path) -> None:
    text = "\ufeffh\r\nÄ,1\r\nB,2\r\n"
    packed = written(tmp_path, gzip.compress(text.encode("utf-8")), "a.csv.gz")
    wide = written(tmp_path, text.encode("utf-16-le"), "b.csv")
    western = written(tmp_path, b"h\n\xc4,1\n", "c.csv")

    assert PlacedLines(packed).texts([1, 2]) == {1: "h", 2: "Ä,1"}
    assert PlacedLines(wide).texts([2, 3]) == {2: "Ä,1", 3: "B,2"}
    assert PlacedLines(western, "latin-1").texts([2]) == {2: "Ä,1"}


def test_lines_the_file_does_not_have_are_left_out(tmp_path: Path) -> None:
    assert PlacedLines(written(tmp_path, b"h\nA\n")).texts([0, 2, 3]) == {2: "A"}
    assert PlacedLines(written(tmp_path, b"")).texts([1]) == {}


def test_a_large_file_is_gone_through_no_further_than_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, b"".join(b"line %05d\n" % number for number in range(1, 2001)))
    lines = PlacedLines(path, kept_bytes=1000, piece_bytes=1000)

    assert lines.texts([3, 1500], limit_bytes=2000) == {3: "line 00003"}
    assert lines.texts([3, 1500]) == {3: "line 00003", 1500: "line 01500"}


def test_a_line_longer_than_a_piece_does_not_shift_those_behind_it(tmp_path: Path) -> None:
    path = written(tmp_path, b"h\n" + b"x" * 1_000_000 + b"\nB\n")

    found = PlacedLines(path, kept_bytes=1000, piece_bytes=1000).texts([2, 3])

    assert (len(found[2]), found[3]) == (2000, "B")


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b""]), max_size=60), st.integers(1, 9))
def test_numbers_are_those_of_the_reader_however_the_pieces_fall(pieces: list[bytes], size: int) -> None:
    content = b"".join(pieces)
    expected = {}
    for block in read_blocks(io.BytesIO(content), 1 << 20):
        for index in range(len(block.starts)):
            expected[block.first_line + index] = block.line(index).decode()
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), content)
        kept = PlacedLines(path).texts(range(1, 70))
        streamed = PlacedLines(path, kept_bytes=-1, piece_bytes=size).texts(range(1, 70))

    assert kept == expected
    assert streamed == expected


def test_rows_of_parquet_show_all_their_columns(tmp_path: Path) -> None:
    table = pa.table({"t": ["a", "b", "c", "d", "e"], "price": [1.5, 2.5, None, 4.5, 5.5]})
    path = str(tmp_path / "a.parquet")
    pq.write_table(table, path, row_group_size=2)

    found = parquet_cells(path, [5, 2, 3, 9])

    assert found == {
        2: '{"t": "b", "price": 2.5}',
        3: '{"t": "c", "price": null}',
        5: '{"t": "e", "price": 5.5}',
    }


def test_what_a_file_is_stored_as_is_told_by_its_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.csv")

    assert stored_container(str(tmp_path / "a.csv")) == "parquet"
    assert stored_container(written(tmp_path, gzip.compress(b"a,b\n"), "b.parquet")) is None


def test_damage_and_absence_are_source_errors(tmp_path: Path) -> None:
    cut = written(tmp_path, gzip.compress(b"a,b\n" * 10_000)[:-20], "a.csv.gz")
    broken = written(tmp_path, b"PAR1 and nothing more", "a.parquet")

    with pytest.raises(SourceRejected, match="ends early"):
        PlacedLines(cut)
    with pytest.raises(SourceUnavailable, match="could not be opened"):
        PlacedLines(str(tmp_path / "gone.csv"))
    with pytest.raises(SourceRejected, match="damaged"):
        parquet_cells(broken, [1])
