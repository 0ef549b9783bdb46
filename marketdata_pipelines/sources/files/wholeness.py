"""Whether a local file is whole, as far as that can be told cheaply: its name, who writes it, how it ends.

Whether it is still growing takes two looks, which is `pipeline.landing`'s.
"""

import fcntl
import os
import signal
import stat
import struct
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

_UNFINISHED_ENDINGS = (
    "~", ".part", ".tmp", ".temp", ".crdownload", ".filepart", ".partial", ".download", ".swp", ".writing", ".lock",
)  # fmt: skip
# A cut file may get its rest for so long after its last change; then it is taken as it is, and refused.
CUT_SECONDS = 600
# A cut gzip file shows itself only when it is unfolded; above this that is left to the ingest.
_LARGEST_GZIP_BYTES = 64 << 20
_TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
_ZSTD_BLOCK_SHIFT, _ZSTD_LARGEST_BLOCK = 3, 128 << 10
_BZIP2_END = 0x177245385090


class Ending(StrEnum):
    """What a file's bytes say about its end: it is there; it may go on (a text whose last line is open, an empty
    file); it must go on, as the end of its format is missing."""

    WHOLE = "whole"
    OPEN = "open"
    CUT = "cut"


def is_unfinished_name(path: str) -> bool:
    """Whether a file's name says that it is being written: hidden, or with an ending of temporary files."""
    name = os.path.basename(path)
    return name.startswith(".") or name.lower().endswith(_UNFINISHED_ENDINGS)


def is_in_the_making(path: str, now_us: int) -> bool:
    """Whether a local file is being written, or is cut and was changed lately; False for what cannot be looked at."""
    try:
        if is_being_written(path):
            return True
        age_seconds = now_us / 1_000_000 - os.stat(path).st_mtime
        return age_seconds < CUT_SECONDS and ending(path) is Ending.CUT
    except OSError:
        return False


def is_being_written(path: str) -> bool:
    """Whether another process has the file open for writing, or locked. False where the system cannot tell.

    Errors: OSError when the file cannot be opened.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _is_refused_a_lease(number) or _is_locked(number)
    finally:
        os.close(number)


def ending(path: str) -> Ending:
    """How the file ends, judged by what its bytes are.

    Errors: OSError when the file cannot be read.
    """
    with open(path, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            return Ending.OPEN
        start = stream.read(8)
        for magic, is_whole in _ENDS.items():
            if start.startswith(magic):
                return Ending.WHOLE if is_whole(stream, status.st_size) else Ending.CUT
        if path.lower().endswith(_TEXT_ENDINGS):
            stream.seek(-1, os.SEEK_END)
            return Ending.WHOLE if stream.read(1) in (b"\n", b"\r") else Ending.OPEN
    return Ending.WHOLE


def _is_refused_a_lease(number: int) -> bool:
    """Linux gives a read lease only while nobody has the file open for writing."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # Whoever opens the file just now sends its holder a signal; by default that one would end this process.
        fcntl.fcntl(number, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _is_locked(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.flock(number, fcntl.LOCK_UN)
    return False


def _parquet_is_whole(stream: BinaryIO, size: int) -> bool:
    if size < 12:
        return False
    stream.seek(-8, os.SEEK_END)
    length, magic = struct.unpack("<I4s", stream.read(8))
    return magic in (b"PAR1", b"PARE") and length + 12 <= size


def _gzip_is_whole(stream: BinaryIO, size: int) -> bool:
    if size > _LARGEST_GZIP_BYTES:
        return True
    stream.seek(0)
    decoder = zlib.decompressobj(wbits=31)
    left = b""
    while piece := left or stream.read(1 << 16):
        try:
            decoder.decompress(piece, 1 << 20)
            left = decoder.unconsumed_tail
        except zlib.error:
            return True  # damaged, not cut: the ingest says so
        if decoder.eof:
            left = decoder.unused_data.lstrip(b"\0")
            decoder = zlib.decompressobj(wbits=31)
            if not left and not (left := stream.read(1 << 16).lstrip(b"\0")):
                return True
            if len(left) >= 2 and not left.startswith(b"\x1f\x8b"):
                return True  # something else follows
    return False


def _zstd_is_whole(stream: BinaryIO, size: int) -> bool:
    """Walks from block header to block header; what is in them stays unread."""
    stream.seek(0)
    while stream.tell() < size:
        magic = stream.read(4)
        if len(magic) == 4 and magic[1:] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F:
            length = stream.read(4)
            if len(length) < 4:
                return False
            stream.seek(struct.unpack("<I", length)[0], os.SEEK_CUR)
        elif magic != b"\x28\xb5\x2f\xfd":
            return len(magic) == 4  # not ours to judge; the ingest says so
        elif not _zstd_frame_is_whole(stream, size):
            return False
    return stream.tell() == size


def _zstd_frame_is_whole(stream: BinaryIO, size: int) -> bool:
    descriptor = stream.read(1)
    if not descriptor:
        return False
    flags = descriptor[0]
    single, checksum = bool(flags & 0x20), bool(flags & 0x04)
    content = (1 if single else 0, 2, 4, 8)[flags >> 6]
    stream.seek((0 if single else 1) + (0, 1, 2, 4)[flags & 3] + content, os.SEEK_CUR)
    while True:
        header = stream.read(3)
        if len(header) < 3:
            return False
        value = int.from_bytes(header, "little")
        last, kind, length = value & 1, (value >> 1) & 3, value >> _ZSTD_BLOCK_SHIFT
        if kind == 3 or (length > _ZSTD_LARGEST_BLOCK and kind != 1):
            return True  # damaged, not cut
        stream.seek(1 if kind == 1 else length, os.SEEK_CUR)
        if stream.tell() > size:
            return False
        if last:
            stream.seek(4 if checksum else 0, os.SEEK_CUR)
            return stream.tell() <= size


def _xz_is_whole(stream: BinaryIO, _size: int) -> bool:
    return _tail(stream, 64).rstrip(b"\0").endswith(b"YZ")


def _zip_is_whole(stream: BinaryIO, _size: int) -> bool:
    tail = _tail(stream, (1 << 16) + 22)
    record = tail[tail.rfind(b"PK\x05\x06") :]
    return (
        len(record) >= 22
        and record.startswith(b"PK\x05\x06")
        and 22 + struct.unpack("<H", record[20:22])[0] <= len(record)
    )


def _bzip2_is_whole(stream: BinaryIO, _size: int) -> bool:
    """The end mark and a checksum, which need not begin on a byte."""
    value = int.from_bytes(_tail(stream, 11), "big")
    return any((value >> (32 + shift)) & 0xFFFFFFFFFFFF == _BZIP2_END for shift in range(8))


def _tail(stream: BinaryIO, size: int) -> bytes:
    stream.seek(0, os.SEEK_END)
    stream.seek(max(0, stream.tell() - size))
    return stream.read(size)


_ENDS: dict[bytes, Callable[[BinaryIO, int], bool]] = {
    b"PAR1": _parquet_is_whole,
    b"\x1f\x8b": _gzip_is_whole,
    b"\x28\xb5\x2f\xfd": _zstd_is_whole,
    b"\xfd7zXZ\x00": _xz_is_whole,
    b"PK\x03\x04": _zip_is_whole,
    b"BZh": _bzip2_is_whole,
}
