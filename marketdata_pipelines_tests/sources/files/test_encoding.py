"""Text in any encoding comes out as UTF-8."""

import io

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files.encoding import Utf8Stream, canonical_encoding, detect_encoding

TEXT = "symbol,open\nSPY,1.5\nMÜV2,2.5\n" * 20


def read_all(data: bytes, encoding: str, size: int = 7) -> bytes:
    stream = Utf8Stream(io.BytesIO(data), encoding)
    found = b""
    while piece := stream.read(size):
        found += piece
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_encoding_is_detected_and_converted_in_pieces_of_any_size(encoding: str) -> None:
    data = TEXT.encode(encoding)

    assert read_all(data, detect_encoding(data)) == TEXT.encode()


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read_all(b"\xef\xbb\xbfabc", "utf-8") == b"abc"


def test_invalid_utf8_passes_unchanged_so_that_only_its_line_is_rejected() -> None:
    assert read_all(b"good\nb\xe9d\n", "utf-8") == b"good\nb\xe9d\n"


def test_half_a_character_at_the_end_of_utf16_shows_as_replacement() -> None:
    assert read_all(b"a\0b\0c", "utf-16-le").decode() == "ab\ufffd"


def test_a_few_zero_bytes_do_not_make_a_file_utf16() -> None:
    assert detect_encoding(b"IBM,2013-10-\0\008,1,2,3\n" * 3) == "utf-8"


def test_an_unknown_encoding_is_a_settings_error() -> None:
    with pytest.raises(SettingsInvalid, match="klingon"):
        canonical_encoding("klingon")
