from pathlib import Path

from marketdata_pipelines.stores.lake.digests import Digests


def test_digests_are_kept_by_path_and_dropped_with_it(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "deep" / "feed.sqlite")
    digests.remember({"a": ("stamp", "1"), "b": ("stamp", "2")})

    digests.remember({"a": ("newer", "3")}, gone=["b", "never there"])

    assert digests.known() == {"a": ("newer", "3")}


def test_nothing_to_remember_makes_no_file(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "feed.sqlite")

    digests.remember({})

    assert digests.known() == {}
    assert not (tmp_path / "feed.sqlite").exists()
