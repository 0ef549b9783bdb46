"""Only lines that a vectorised parser reads safely are regular."""

from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.files.dialect import split_fields
from marketdata_pipelines.sources.files.lines import split_lines
from marketdata_pipelines.sources.files.regularity import regular_lines


def regular(data: bytes, *, transcoded: bool = False) -> list[bool]:
    return regular_lines(split_lines(data), ",", 3, transcoded=transcoded).tolist()


def test_each_kind_of_irregular_line_is_told() -> None:
    lines = [b"a,b,c", b"a,b", b"a,b,c,d", b'"a,b,c', b'"a,x",b,c', b'a"a",b,c', b"a\0,b,c", b"\xff,b,c", b"", b"a,b,c"]

    assert regular(b"\n".join(lines)) == [True, False, False, False, True, False, False, False, False, True]


def test_replacement_characters_count_only_where_text_was_converted() -> None:
    data = "\ufffd,b,c\na,b,c\n".encode()

    assert regular(data) == [True, True]
    assert regular(data, transcoded=True) == [False, True]


@given(st.lists(st.text(alphabet='ab,"', max_size=12), min_size=1, max_size=8))
def test_regular_lines_have_the_fields_a_careful_parser_finds(lines: list[str]) -> None:
    flags = regular("\n".join(lines).encode() + b"\n")

    for line, flag in zip(lines, flags, strict=False):
        if flag:
            fields = split_fields(line, ",")
            assert fields is not None
            assert len(fields) == 3
