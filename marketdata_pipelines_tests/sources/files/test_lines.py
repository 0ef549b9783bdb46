"""Lines are cut at every kind of terminator, whatever the blocks."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.files.lines import LONGEST_LINE, read_blocks, split_lines


def texts(data: bytes) -> list[bytes]:
    block = split_lines(data)
    return [block.line(index) for index in range(len(block.starts))]


@given(st.text(alphabet="ab\r\n", max_size=60))
def test_lines_are_those_of_universal_newlines(text: str) -> None:
    assert texts(text.encode()) == text.encode().splitlines()


def test_a_last_line_without_terminator_counts() -> None:
    assert texts(b"a\nb") == [b"a", b"b"]


def test_blocks_join_to_the_whole_and_number_their_lines() -> None:
    lines = [f"row {index}," + "x" * (index % 50) for index in range(2000)]
    data = "\r\n".join(lines).encode()

    blocks = list(read_blocks(io.BytesIO(data), 1024))

    found = [block.line(index).decode() for block in blocks for index in range(len(block.starts))]
    firsts = [block.first_line for block in blocks]
    assert found == lines
    assert len(blocks) > 10
    assert firsts == (1 + np.cumsum([0, *[len(block.starts) for block in blocks[:-1]]])).tolist()


def test_a_line_larger_than_memory_should_hold_is_cut_not_kept() -> None:
    data = b"a\n" + b"x" * (3 << 20) + b"\nb\n"

    blocks = list(read_blocks(io.BytesIO(data), 4096))

    lines = [block.line(index) for block in blocks for index in range(len(block.starts))]
    assert [line[:1] for line in lines] == [b"a", b"x", b"b"]
    assert LONGEST_LINE < len(lines[1]) < 10 * LONGEST_LINE


def test_original_text_is_shortened_and_always_text() -> None:
    block = split_lines(b"\xff" * 9000 + b"\nok\n")

    long, short = block.texts(np.array([0, 1]))

    assert long == "\ufffd" * 2000
    assert short == "ok"
