"""Small delimited text as records with their places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.rows import decode_text, split_records


def test_records_know_their_physical_line_and_text() -> None:
    records = split_records('a, b\r\n\r\n# note\r\n"x\r\ny",2\r\nz,3\r\n', ",")

    assert [(record.line, record.cells, record.text) for record in records] == [
        (1, ("a", "b"), "a, b"),
        (4, ("x\r\ny", "2"), '"x\r\ny",2'),
        (6, ("z", "3"), "z,3"),
    ]


def test_one_unclosed_quote_costs_one_line() -> None:
    records = split_records('a,1\n"b,2\nc,3\n"d",4\n', ",")

    assert [(record.line, record.cells) for record in records] == [
        (1, ("a", "1")),
        (2, None),
        (3, ("c", "3")),
        (4, ("d", "4")),
    ]


def test_a_field_beyond_all_reason_costs_one_line() -> None:
    records = split_records(f"a,1\n{'x' * 200_000},2\nc,3\n", ",")

    assert [record.cells is None for record in records] == [False, True, False]
    assert len(records[1].original) == 2000


def test_a_line_with_a_nul_has_no_cells() -> None:
    assert [record.cells for record in split_records("a\0,1\nb,2", ",")] == [None, ("b", "2")]


def test_lines_of_separators_say_nothing() -> None:
    assert split_records(",,\n \n\n", ",") == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_the_encoding_its_first_bytes_show(encoding: str) -> None:
    assert decode_text("symbol,né".encode(encoding), "a.csv") == "symbol,né"


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\0\0", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(SourceRejected, match="is empty") as caught:
        decode_text(content, "a.csv")

    assert caught.value.rule == "empty_file"


@given(st.text(alphabet=st.sampled_from('ab,"\n\r\0 #')))
def test_lines_of_records_increase_and_lie_in_the_text(text: str) -> None:
    lines = [record.line for record in split_records(text, ",")]

    assert lines == sorted(set(lines))
    assert all(1 <= line <= len(text) for line in lines)
