import bz2
import fcntl
import gzip
import io
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.files.wholeness import (
    CUT_SECONDS,
    Ending,
    ending,
    is_being_written,
    is_in_the_making,
    is_unfinished_name,
)

TEXT = b"".join(b"SPY,%d,%d\n" % (number, number * 7919 % 104729) for number in range(30_000))


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return stream.getvalue()


def parquet(data: bytes) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"line": data.split(b"\n")}), stream)
    return stream.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "csv.gz": gzip.compress,
    "csv.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "plain.csv.zst": zstandard.ZstdCompressor(write_content_size=False).compress,
    "csv.xz": lzma.compress,
    "csv.bz2": bz2.compress,
    "zip": zipped,
    "parquet": parquet,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_is_cut_until_its_last_byte_is_there(tmp_path: Path, kind: str) -> None:
    whole = PACKERS[kind](TEXT)
    path = tmp_path / f"a.{kind}"
    found = []
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        found.append(ending(str(path)))
    path.write_bytes(whole[:-1])
    found.append(ending(str(path)))

    path.write_bytes(whole)

    assert found == [Ending.CUT] * 5
    assert ending(str(path)) is Ending.WHOLE


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress, bz2.compress])
def test_packed_pieces_one_after_another_are_whole_with_the_last_one(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a.csv"

    path.write_bytes(pack(TEXT) + pack(b"more\n"))

    assert ending(str(path)) is Ending.WHOLE


def test_a_gzip_file_padded_with_zeros_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"

    path.write_bytes(gzip.compress(TEXT) + bytes(512))

    assert ending(str(path)) is Ending.WHOLE


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"a,b\n1,2\n", Ending.WHOLE),
        ("a.csv", b"a,b\r1,2\r", Ending.WHOLE),
        ("a.csv", b"a,b\n1,2", Ending.OPEN),
        ("a.JSONL", b'{"a": 1}\n{"a"', Ending.OPEN),
        ("a.csv", b"", Ending.OPEN),
        ("a.bin", b"anything", Ending.WHOLE),
    ],
)
def test_a_text_is_open_while_its_last_line_is(tmp_path: Path, name: str, content: bytes, expected: Ending) -> None:
    (tmp_path / name).write_bytes(content)

    assert ending(str(tmp_path / name)) is expected


@given(
    start=st.sampled_from([b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"PK\x03\x04", b"\xfd7zXZ\x00"]),
    rest=st.binary(),
)
def test_any_bytes_get_a_verdict(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(start + rest)

    assert ending(str(path)) in list(Ending)


@pytest.mark.parametrize(
    "name", [".a.csv", "a.csv.part", "a.TMP", "a.csv~", "a.crdownload", "a.filepart", "deep/.a.csv", "a.csv.partial"]
)
def test_names_of_files_in_the_making(name: str) -> None:
    assert is_unfinished_name(name)


@pytest.mark.parametrize("name", ["a.csv", "part.csv", "a.tmp.csv", ".hidden/a.csv"])
def test_names_of_finished_files(name: str) -> None:
    assert not is_unfinished_name(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes a file")
def test_a_file_another_process_has_open_for_writing_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n")
    program = f"import sys; f = open({str(path)!r}, 'a'); print('open', flush=True); sys.stdin.read()"

    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        during = is_being_written(str(path))
        writer.communicate(b"")

    assert during
    assert not is_being_written(str(path))


def test_a_reader_is_no_writer_and_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n")

    with open(path) as reader:
        found = is_being_written(str(path))
        text = reader.read()

    assert (found, text) == (False, "a\n")


def test_a_locked_file_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n")

    with open(path) as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)

        assert is_being_written(str(path))


def test_a_cut_file_is_in_the_making_until_nothing_came_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(TEXT)[:-1])
    written_us = int(path.stat().st_mtime * 1_000_000)

    assert is_in_the_making(str(path), written_us + 1_000_000)
    assert not is_in_the_making(str(path), written_us + CUT_SECONDS * 1_000_000 + 1)
    assert not is_in_the_making(str(tmp_path / "gone.csv"), written_us)
