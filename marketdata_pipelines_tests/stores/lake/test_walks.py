"""What is kept of a partition's last walk."""

import sqlite3
from importlib.resources import files
from pathlib import Path

from marketdata_pipelines.stores.lake.walks import WalkCheck, Walked, WalkProof, Walks

PROOF = WalkProof(3, 2, 1, (WalkCheck("ohlc_consistent", "validated_bars", False, True, "1 of 2 bars break it"),))


def test_a_walk_is_kept_whole_until_the_next_one(tmp_path: Path) -> None:
    first = Walked("abc", 1_700_000_000_000_000, ("p1", "p2"), PROOF)
    walks = Walks(tmp_path / "catalog.sqlite")

    walks.note("shares", "2024-03-08", first)
    walks.note("coins", "2024-03-08", Walked("def", 0, ()))

    assert Walks(tmp_path / "catalog.sqlite").last("shares", "2024-03-08") == first
    assert walks.last("coins", "2024-03-08") == Walked("def", 0, ())
    assert walks.last("shares", "2024-03-11") is None


def test_a_catalog_without_walks_has_none(tmp_path: Path) -> None:
    assert Walks(tmp_path / "catalog.sqlite").last("shares", "2024-03-08") is None
    sqlite3.connect(tmp_path / "catalog.sqlite").execute("create table other (x)").connection.close()
    assert Walks(tmp_path / "catalog.sqlite").last("shares", "2024-03-08") is None


def test_a_catalog_of_an_earlier_release_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    earlier = sqlite3.connect(path)
    schema = files("marketdata_pipelines.stores.sql").joinpath("sqlite", "0006_add_walks.sql").read_text("utf-8")
    earlier.execute(schema)
    earlier.execute("insert into walk values ('shares', '2024-03-08', 'abc', 5, '[\"p1\"]')")
    earlier.commit()
    earlier.close()
    walks = Walks(path)

    before = walks.last("shares", "2024-03-08")
    walks.note("shares", "2024-03-11", Walked("def", 6, ("p2",), PROOF))

    assert before == Walked("abc", 5, ("p1",)) == walks.last("shares", "2024-03-08")
    assert walks.last("shares", "2024-03-11") == Walked("def", 6, ("p2",), PROOF)
