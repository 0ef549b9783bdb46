"""Compressed bytes are recognised by content and never read half."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pytest
import zstandard

from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.files.compression import open_seekable, open_stream

TEXT = b"symbol,timestamp\n" * 5000
PACKED = {
    "gz": gzip.compress(TEXT),
    "zst": zstandard.compress(TEXT),
    "bz2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
}
Write = Callable[[str, str | bytes], str]


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return target.getvalue()


@pytest.mark.parametrize("kind", PACKED)
def test_compression_is_told_by_the_bytes_not_the_name(write: Write, kind: str) -> None:
    with open_stream(write("prices.csv", PACKED[kind])) as stream:
        assert stream.compression == kind
        assert stream.read(1 << 20) == TEXT
        assert stream.read(1) == b""


@pytest.mark.parametrize("kind", PACKED)
def test_data_cut_off_is_refused(write: Write, kind: str) -> None:
    path = write("prices.csv.gz", PACKED[kind][:-5])

    with pytest.raises(SourceRejected) as refused, open_stream(path) as stream:
        stream.read(1 << 20)

    assert refused.value.rule == "compression_damaged"


def test_a_wrong_checksum_is_refused_although_all_bytes_came(write: Write) -> None:
    damaged = bytearray(PACKED["gz"])
    damaged[-6] ^= 1

    with pytest.raises(SourceRejected, match="checksum"), open_stream(write("a.gz", bytes(damaged))) as stream:
        stream.read(1 << 20)


@pytest.mark.parametrize("kind", PACKED)
def test_frames_behind_each_other_are_one_file(write: Write, kind: str) -> None:
    with open_stream(write("a", PACKED[kind] * 2)) as stream:
        assert stream.read(1 << 20) == TEXT * 2


def test_zeros_behind_the_last_frame_are_padding(write: Write) -> None:
    with open_stream(write("a.gz", PACKED["gz"] + b"\0" * 512)) as stream:
        assert stream.read(1 << 20) == TEXT


def test_a_zip_with_one_member_is_that_member(write: Write) -> None:
    with open_stream(write("a.zip", zipped("prices.csv"))) as stream:
        assert stream.read(1 << 20) == TEXT


def test_a_zip_with_two_members_is_refused(write: Write) -> None:
    with pytest.raises(SourceRejected, match="2 members"):
        open_stream(write("a.zip", zipped("a.csv", "b.csv")))


def test_small_reads_give_the_same_bytes_as_one_large_read(write: Write) -> None:
    with open_stream(write("a.gz", PACKED["gz"])) as stream:
        pieces = []
        while piece := stream.read(777):
            pieces.append(piece)

    assert b"".join(pieces) == TEXT


def test_a_seekable_stream_of_a_compressed_file_is_unfolded(write: Write) -> None:
    with open_seekable(write("a.gz", PACKED["gz"])) as stream:
        stream.seek(-4, io.SEEK_END)
        assert stream.read() == b"amp\n"


def test_a_missing_file_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="could not be opened"):
        open_stream("/nonexistent/prices.csv")
