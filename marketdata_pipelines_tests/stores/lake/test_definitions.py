"""Which definition was in force when."""

from pathlib import Path

import pytest

from marketdata_pipelines.stores.lake.definitions import Definitions


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    return Definitions(tmp_path / "lake" / "catalog.sqlite")


def test_the_newest_definition_known_by_then_is_in_force(definitions: Definitions) -> None:
    definitions.record("f", "v1", "one", 100)
    definitions.record("f", "v2", "two", 200)
    definitions.record("f", "v1", "one", 300)

    assert [definitions.at("f", at) for at in (100, 199, 200, 299, 300, None)] == [
        ("v1", "one"), ("v1", "one"), ("v2", "two"), ("v2", "two"), ("v1", "one"), ("v1", "one"),
    ]  # fmt: skip


def test_the_same_definition_again_is_no_new_one(definitions: Definitions) -> None:
    definitions.record("f", "v1", "one", 100)
    definitions.record("f", "v1", "one", 200)

    assert definitions.all("f") == [(100, "v1", "one")]


def test_before_the_first_definition_the_first_one_counts(definitions: Definitions) -> None:
    definitions.record("f", "v1", "one", 100)

    assert definitions.at("f", 50) == ("v1", "one")


def test_nothing_recorded_is_none(definitions: Definitions) -> None:
    definitions.record("g", "v1", "one", 100)

    assert definitions.at("f") is None
    assert Definitions(Path("nowhere") / "catalog.sqlite").at("f") is None
