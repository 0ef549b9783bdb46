"""Everything ever accepted for a partition, and what took it back."""

from dataclasses import replace
from pathlib import Path

import pytest

from marketdata_pipelines.stores.lake.catalog import Catalog
from marketdata_pipelines_tests.stores.lake.test_catalog import DAY, NEXT, ingest, part


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "lake" / "catalog.sqlite")


def accepted(catalog: Catalog, partition: str = DAY) -> tuple[list[str], list[int]]:
    """Part ids, and sequences of the ingests that brought nothing."""
    parts, without = catalog.accepted_parts("f", partition)
    return [item.part.part_id for item in parts], [item.seq for item in without]


def test_an_empty_catalog_has_accepted_nothing(catalog: Catalog) -> None:
    assert accepted(catalog) == ([], [])


def test_superseded_parts_are_there_too_in_ledger_order(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("late", known_at_us=9), [part("last")])
    catalog.record_ingest(ingest("once", known_at_us=1), [part("first")])
    catalog.record_ingest(ingest("once", known_at_us=2), [part("again")])

    assert accepted(catalog) == (["first", "again", "last"], [])
    assert [item.part.part_id for item in catalog.standing_parts("f", [DAY])] == ["again", "last"]


def test_later_ingests_of_the_same_contents_that_brought_nothing_are_told(catalog: Catalog) -> None:
    catalog.record_ingest(ingest("moved"), [part("here")])
    catalog.record_ingest(ingest("moved", known_at_us=2), [part("there", NEXT)])
    catalog.record_ingest(ingest("moved", known_at_us=3, status="refused"), [])
    catalog.record_ingest(ingest("other", known_at_us=4), [part("elsewhere", NEXT)])

    assert accepted(catalog) == (["here"], [2, 3])
    assert accepted(catalog, NEXT) == (["there", "elsewhere"], [1, 3])


def test_other_feeds_are_left_out(catalog: Catalog) -> None:
    catalog.record_ingest(replace(ingest("same"), feed="g"), [part("theirs")])
    catalog.record_ingest(ingest("same"), [part("ours")])

    assert accepted(catalog) == (["ours"], [])
