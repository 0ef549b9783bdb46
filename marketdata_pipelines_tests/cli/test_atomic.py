"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from marketdata_pipelines.cli.atomic import whole_file
from marketdata_pipelines.errors import StoreError


def test_a_finished_block_replaces_the_file(tmp_path: Path) -> None:
    target = tmp_path / "answer.csv"
    target.write_bytes(b"old")

    with whole_file(target) as sink:
        sink.write(b"new")

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "answer.csv"
    target.write_bytes(b"old")

    with pytest.raises(TypeError), whole_file(target) as sink:
        sink.write(b"half" + None)  # type: ignore[operator]

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/answer\.csv cannot be written"):
        whole_file(tmp_path / "nowhere" / "answer.csv").__enter__()
