"""Which files a path names."""

import gzip
import hashlib
from pathlib import Path

import fsspec
import pytest

from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.files.listing import file_digest, list_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "deep/c.csv", ".hidden.csv", "half.csv.part", "x.tmp", "old.csv~", ".git/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_folder_is_its_finished_files_sorted(folder: Path) -> None:
    assert list_files(str(folder)) == [str(folder / name) for name in ("a.csv", "b.csv", "deep/c.csv")]


def test_a_file_is_itself_and_a_glob_its_matches(folder: Path) -> None:
    assert list_files(str(folder / "b.csv")) == [str(folder / "b.csv")]
    assert list_files(str(folder / "*.csv")) == [str(folder / "a.csv"), str(folder / "b.csv")]
    assert list_files(str(folder / "**" / "c.csv")) == [str(folder / "deep/c.csv")]


def test_nothing_there_says_so(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "*.csv"):
        with pytest.raises(SourceUnavailable, match="no file is at"):
            list_files(str(path))


def test_urls_are_listed_like_folders() -> None:
    filesystem = fsspec.filesystem("memory")
    for name in ("b.csv", "a.csv", "c.csv.part"):
        filesystem.pipe(f"/listing/{name}", b"x")

    assert list_files("memory://listing") == ["memory:///listing/a.csv", "memory:///listing/b.csv"]
    assert list_files("memory://listing/a.csv") == ["memory://listing/a.csv"]
    assert list_files("memory://listing/b*.csv") == ["memory:///listing/b.csv"]


def test_the_digest_is_of_the_stored_bytes(tmp_path: Path) -> None:
    stored = gzip.compress(b"abc")
    (tmp_path / "a.gz").write_bytes(stored)

    assert file_digest(str(tmp_path / "a.gz")) == hashlib.sha256(stored).hexdigest()
