"""A file's format is told by its first bytes."""

import pytest

from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.files.formats import canonical_format, container_format, text_format


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"symbol,open\nSPY,1\n", "csv"),
        (b'[{"o": 1}]', "json"),
        (b'{"o": 1, "c": 2}\n{"o": 1, "c": 2}\n', "jsonl"),
        (b'{"o": 1, "c": 2}', "jsonl"),
        (b'{"results": [{"o": 1}]}', "json"),
        (b'{\n "results": [\n {"o": 1}\n ]\n}', "json"),
        (b'{"o": 1}\n{"o": \n{"o": 2}\n', "jsonl"),
    ],
)
def test_text_formats(head: bytes, expected: str) -> None:
    assert text_format("f", head, complete=True) == expected


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"<!DOCTYPE html><html>", b"%PDF-1.4", bytes(range(256)) * 9])
def test_foreign_files_are_refused(head: bytes) -> None:
    with pytest.raises(SourceRejected) as refused:
        text_format("f", head, complete=True)

    assert refused.value.rule == "unknown_format"


def test_containers_have_magic_bytes() -> None:
    assert container_format(b"PAR1....") == "parquet"
    assert container_format(b"PK\x03\x04....") == "excel"
    assert container_format(b"symbol,open") is None


def test_pinned_names_are_understood_or_refused() -> None:
    assert [canonical_format(name) for name in ("auto", None, "TSV", "ndjson", "xlsx")] == [
        None,
        None,
        "csv",
        "jsonl",
        "excel",
    ]
    with pytest.raises(SettingsInvalid, match="avro"):
        canonical_format("avro")
