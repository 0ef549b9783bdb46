"""Opening a file's bytes: local or by URL, decompressed by what the bytes say rather than by the name.

Text encodings are in `encoding`; what the bytes mean is decided in `plan`.
"""

import bz2
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, BinaryIO, Protocol, Self

import zstandard

from marketdata_pipelines.errors import SourceRejected, SourceUnavailable

_MAGIC = ((b"\x1f\x8b", "gz"), (b"\x28\xb5\x2f\xfd", "zst"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"))
_NAME_ENDINGS = {".gz": "gz", ".gzip": "gz", ".zst": "zst", ".zstd": "zst", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}
_ZIP_MAGIC = b"PK\x03\x04"
# A few bytes of zst or bz2 can stand for megabytes: small pieces bound what one step can unfold to.
_PIECE_BYTES = {"gz": 1 << 16, "zst": 1 << 13, "bz2": 1 << 13, "xz": 1 << 13}
_LARGEST_IN_MEMORY = 4 << 30
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile, OSError, RuntimeError)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gz": lambda: zlib.decompressobj(wbits=31),
    "zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


class ByteStream:
    """The decompressed bytes of one file, read forward once.

    Errors: `read` raises SourceRejected(compression_damaged) where the compressed data is cut off or damaged.
    """

    def __init__(self, path: str, raw: BinaryIO, compression: str | None, member: IO[bytes] | None = None) -> None:
        self.path = path
        self.compression = compression
        self._raw = raw
        self._pieces = _pieces(member or raw, compression)
        self._buffer = bytearray()
        self._ended = False

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        while len(self._buffer) < size and not self._ended:
            try:
                piece = next(self._pieces, None)
            except _DAMAGE as error:
                # An error number comes from the disk or the network, not from a decoder.
                if self.compression is None or getattr(error, "errno", None) is not None:
                    raise SourceUnavailable(f"{self.path} could not be read ({error}); try again") from error
                raise SourceRejected(
                    f"{self.path} is {self.compression} data that ends early or fails its checksum ({error}); "
                    "fetch the file again",
                    rule="compression_damaged",
                ) from error
            if piece is None:
                self._ended = True
            else:
                self._buffer += piece
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken

    def read_all(self) -> bytes:
        """Everything that is left, for formats that cannot be streamed.

        Errors: SourceRejected(container_damaged) past 4 GiB.
        """
        found = self.read(_LARGEST_IN_MEMORY)
        if len(found) == _LARGEST_IN_MEMORY:
            raise SourceRejected(
                f"{self.path} unfolds to more than 4 GiB and its format cannot be streamed; "
                "store it as JSON lines, CSV or uncompressed Parquet",
                rule="container_damaged",
            )
        return found

    def close(self) -> None:
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_url(path: str) -> bool:
    """Whether the path is an fsspec URL such as s3://bucket/key."""
    return "://" in path


def open_raw(path: str) -> BinaryIO:
    """The stored bytes of a local path or an fsspec URL.

    Errors: SourceUnavailable when it cannot be opened.
    """
    try:
        if not is_url(path):
            return open(os.path.expanduser(path), "rb")
        import fsspec

        opened: BinaryIO = fsspec.open(path, "rb").open()
        return opened
    except (OSError, ValueError, ImportError) as error:
        raise SourceUnavailable(f"{path} could not be opened ({error}); check the path and its permissions") from error


def named_compression(path: str) -> str | None:
    """The compression a file's name promises."""
    return _NAME_ENDINGS.get(os.path.splitext(path)[1].lower())


def open_stream(path: str) -> ByteStream:
    """The decompressed bytes of a file: gz, zst, bz2, xz or a zip with one member are recognised by content.

    Errors: SourceUnavailable, SourceRejected(compression_damaged | container_damaged).
    """
    raw = open_raw(path)
    try:
        head = raw.read(8)
        raw.seek(0)
        member = _single_member(path, raw) if head.startswith(_ZIP_MAGIC) else None
    except OSError as error:
        raw.close()
        raise SourceUnavailable(f"{path} could not be read ({error}); try again") from error
    except SourceRejected:
        raw.close()
        raise
    if member is not None:
        return ByteStream(path, raw, "zip", member)
    compression = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    return ByteStream(path, raw, compression)


def open_seekable(path: str) -> BinaryIO:
    """A file for readers that jump about (Parquet, Excel); a compressed one is unfolded in memory."""
    stream = open_stream(path)
    if stream.compression is None:
        stream.close()
        return open_raw(path)
    with stream:
        return io.BytesIO(stream.read_all())


def _pieces(raw: IO[bytes], compression: str | None) -> Iterator[bytes]:
    decoder_of = _DECODERS.get(compression or "")
    if decoder_of is None:
        while piece := raw.read(1 << 20):
            yield piece
        return
    decoder: _Decoder | None = None
    frames = 0
    while piece := raw.read(_PIECE_BYTES[compression or ""]):
        while piece:
            if decoder is None:
                # Tapes and some writers pad with zeros after the last frame.
                if frames and not piece.strip(b"\0"):
                    break
                decoder, frames = decoder_of(), frames + 1
            yield decoder.decompress(piece)
            piece, decoder = (decoder.unused_data, None) if decoder.eof else (b"", decoder)
    if decoder is not None:
        raise EOFError("the data ends inside a compressed frame")


def _single_member(path: str, raw: BinaryIO) -> IO[bytes] | None:
    """The one member of a plain zip; None for a workbook, which is a zip too."""
    try:
        archive = zipfile.ZipFile(raw)
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if "[Content_Types].xml" in names or "mimetype" in names:
            raw.seek(0)
            return None
        if len(names) == 1:
            return archive.open(names[0])
    except (*_DAMAGE, NotImplementedError, ValueError) as error:
        raise SourceRejected(
            f"{path} is a zip archive that cannot be opened ({error}); fetch it again", rule="container_damaged"
        ) from error
    raise SourceRejected(
        f"{path} is a zip archive with {len(names)} members; unpack it, one file is read at a time",
        rule="container_damaged",
    )
