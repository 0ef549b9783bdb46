"""Which revision is the newest: of a lake that is written to by others, and of what was published."""

import os
from pathlib import Path

import pytest

from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions, Revisions, RevisionsUnknown
from marketdata_pipelines.stores.lake.catalog import Catalog, Stored
from marketdata_pipelines.stores.lake.lake import Lake


def stored(partition: str, inputs: str, *, feed: str = "feed", table: str = "bars") -> Stored:
    return Stored(table, feed, partition, f"{partition}.parquet", 1, 1, 1, None, None, "", inputs)


@pytest.fixture
def catalog(lake: Lake) -> Catalog:
    lake.catalog.commit_stored([stored("2024-03-01", "a"), stored("2024-03-02", "b")])
    return lake.catalog


@pytest.fixture
def revisions(lake: Lake, catalog: Catalog) -> LakeRevisions:
    return LakeRevisions(lake.layout.catalog)


def test_the_index_says_what_is_stored_of_one_table(catalog: Catalog, revisions: LakeRevisions) -> None:
    catalog.commit_stored([stored("2024-03-03", "x", feed="other"), stored("2024-03-03", "y", table="views")])

    found = revisions.of("feed", "bars")

    assert dict(found.by_partition) == {"2024-03-01": "a", "2024-03-02": "b"}
    assert found.partitions == ("2024-03-01", "2024-03-02")


def test_unchanged_revisions_are_the_same_object_also_after_others_changed(
    catalog: Catalog, revisions: LakeRevisions
) -> None:
    before = revisions.of("feed", "bars")

    catalog.commit_stored([stored("2024-03-01", "x", feed="other")])

    assert revisions.of("feed", "bars") is before


def test_a_commit_is_seen_at_once(catalog: Catalog, revisions: LakeRevisions) -> None:
    before = revisions.of("feed", "bars")

    catalog.commit_stored([stored("2024-03-02", "c")], [("bars", "feed", "2024-03-01")])
    found = revisions.of("feed", "bars")

    assert dict(found.by_partition) == {"2024-03-02": "c"}
    assert found.number != before.number


def test_a_commit_of_another_process_is_seen_at_once(lake: Lake, catalog: Catalog, revisions: LakeRevisions) -> None:
    revisions.of("feed", "bars")
    child = os.fork()
    if child == 0:
        Lake(lake.layout.root).catalog.commit_stored([stored("2024-03-02", "from the child")])
        os._exit(0)
    os.waitpid(child, 0)

    assert revisions.of("feed", "bars").by_partition["2024-03-02"] == "from the child"


def test_a_forked_child_has_a_connection_of_its_own(catalog: Catalog, revisions: LakeRevisions) -> None:
    revisions.of("feed", "bars")
    child = os.fork()
    if child == 0:
        found = revisions.of("feed", "bars").by_partition["2024-03-02"]
        os._exit(0 if found == "b" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert revisions.of("feed", "bars").by_partition["2024-03-02"] == "b"


def test_a_lake_that_is_not_there_yet_has_none_until_it_is(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    revisions = LakeRevisions(lake.layout.catalog)
    before = revisions.of("feed", "bars").partitions

    lake.catalog.commit_stored([stored("2024-03-01", "a")])

    assert (before, revisions.of("feed", "bars").partitions) == ((), ("2024-03-01",))
    revisions.close()
    assert revisions.of("feed", "bars").partitions == ("2024-03-01",)


def test_a_digest_is_of_the_partitions_in_its_range_only() -> None:
    one = Revisions.of({"2024-03-01": "a", "2024-03-02": "b"})
    other = Revisions.of({"2024-03-01": "a", "2024-03-02": "changed"})

    assert one.digest("", "2024-03-01") == other.digest("", "2024-03-01")
    assert one.digest() != other.digest()
    assert one.between("2024-03-02") == ("2024-03-02",)


class Publications:
    """What was published, and how often somebody asked."""

    def __init__(self) -> None:
        self.by_partition: dict[str, str] | None = {"2024-03-01": "a"}
        self.asked, self.now = 0, 0.0

    def read(self, feed: str, table: str) -> dict[str, str] | None:
        self.asked += 1
        return self.by_partition


def test_published_revisions_are_kept_for_their_time() -> None:
    published = Publications()
    revisions = PublishedRevisions(published.read, 2.0, lambda: published.now)
    first = revisions.of("feed", "bars")
    published.by_partition = {"2024-03-01": "b"}

    published.now = 1.9
    soon = revisions.of("feed", "bars")
    published.now = 2.0
    later = revisions.of("feed", "bars")

    assert soon is first
    assert later.by_partition["2024-03-01"] == "b"
    assert published.asked == 2


def test_forgotten_revisions_are_asked_for_again_of_that_feed_only() -> None:
    published = Publications()
    revisions = PublishedRevisions(published.read, 60.0, lambda: published.now)
    first = revisions.of("feed", "bars")

    revisions.forget("other")
    revisions.of("feed", "bars")
    asked = published.asked
    revisions.forget("feed")

    assert revisions.of("feed", "bars") is first
    assert (asked, published.asked) == (1, 2)


def test_what_is_forgotten_while_it_is_read_is_read_again() -> None:
    published = Publications()
    revisions = PublishedRevisions(lambda feed, table: forgetting(), 60.0, lambda: published.now)

    def forgetting() -> dict[str, str] | None:
        revisions.forget()
        return published.read("feed", "bars")

    revisions.of("feed", "bars")
    revisions.of("feed", "bars")

    assert published.asked == 2


def test_a_silent_server_leaves_them_unknown_once_their_time_is_over() -> None:
    published = Publications()
    revisions = PublishedRevisions(published.read, 2.0, lambda: published.now)
    revisions.of("feed", "bars")
    published.by_partition = None

    kept = revisions.of("feed", "bars")
    published.now = 3.0

    assert kept.by_partition["2024-03-01"] == "a"
    with pytest.raises(RevisionsUnknown):
        revisions.of("feed", "bars")
