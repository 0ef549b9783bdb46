"""The text encoding of a file: recognised from its first bytes, converted to UTF-8 while it is read."""

import codecs
from typing import Protocol

from marketdata_pipelines.errors import SettingsInvalid

UTF8 = "utf-8"
_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Readable(Protocol):
    """Anything that gives its bytes forward."""

    def read(self, size: int, /) -> bytes: ...


class Utf8Stream:
    """A byte stream as UTF-8 without byte order mark.

    Bytes that are invalid in a converted encoding come out as U+FFFD; invalid UTF-8 passes unchanged, so
    that only its lines are rejected.
    """

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = None if encoding == UTF8 else _decoder(encoding)
        self._ended = False
        self._held = b""
        if self._decoder is None:
            self._held = stream.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)

    def read(self, size: int) -> bytes:
        """About `size` bytes, whole characters; empty only at the end."""
        if self._decoder is None:
            held, self._held = self._held, b""
            return held + self._stream.read(max(size - len(held), 1))
        while not self._ended:
            piece = self._stream.read(size)
            self._ended = not piece
            text = self._decoder.decode(piece, self._ended)
            if text:
                return text.removeprefix("\ufeff").encode(UTF8, "replace")
        return b""


def detect_encoding(head: bytes) -> str:
    """The encoding a file's first bytes show: a byte order mark, or the zero bytes of UTF-16 and UTF-32; else UTF-8."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    sample = head[:4096]
    if len(sample) < 8:
        return UTF8
    zeros = [sample[offset::4].count(0) / max(len(sample[offset::4]), 1) for offset in range(4)]
    patterns = (("utf-32-le", (0, 1, 1, 1)), ("utf-32-be", (1, 1, 1, 0)), ("utf-16-le", (0, 1, 0, 1)))
    for name, pattern in (*patterns, ("utf-16-be", (1, 0, 1, 0))):
        if all(share > 0.7 if zero else share < 0.3 for share, zero in zip(zeros, pattern, strict=True)):
            return name
    return UTF8


def canonical_encoding(name: str) -> str:
    """Python's name of an encoding; UTF-8 with or without mark is one.

    Errors: SettingsInvalid for an unknown name.
    """
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise SettingsInvalid(
            f"encoding {name!r} is unknown; give one like utf-8, utf-16, latin-1 or cp1252"
        ) from error
    return UTF8 if found in (UTF8, "utf-8-sig", "ascii") else found


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(encoding)(errors="replace")
