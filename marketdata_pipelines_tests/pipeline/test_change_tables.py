"""Changes of bars in words. (The tables themselves are held against derived bars in `test_bar_history`.)"""

import pyarrow as pa

from marketdata_pipelines.pipeline.change_tables import describe_changes, ingest_causes
from marketdata_pipelines.stores.lake.catalog import Ingest, PulledWindow

NAMES = ("close", "volume", "is_final")


def described(old: list[object], new: list[object]) -> str:
    columns = {f"old_{name}": [value] for name, value in zip(NAMES, old, strict=True)}
    columns |= {f"new_{name}": [value] for name, value in zip(NAMES, new, strict=True)}
    return describe_changes(pa.table(columns), NAMES)[0]


def ingest(sha: str, *, mode: str = "upsert", status: str = "accepted", pulled: PulledWindow | None = None) -> Ingest:
    return Ingest(
        "feed", sha, sha, sha, 1, 0, "run", mode, status, None, None, (), "v", "p", "c", "1", 0, None, None,
        pulled=pulled,
    )  # fmt: skip


def test_only_what_differs_is_told() -> None:
    assert described([10.0, 5.0, True], [10.25, 5.0, True]) == "close 10 → 10.25"
    assert described([10.0, 5.0, True], [10.0, None, False]) == "volume 5 → unknown, is_final true → false"


def test_of_a_bar_that_came_or_went_the_close_is_told() -> None:
    assert described([None, None, None], [1e-7, 5.0, True]) == "close none → 1e-07"
    assert described([1234567.5, 5.0, True], [None, None, None]) == "close 1234567.5 → none"


def test_a_content_parsed_again_is_a_cause_of_its_own_unless_it_was_refused_before() -> None:
    window = PulledWindow("2024-03-08", "vendor", 0, 1, ("A",), True, True)
    ingests = [
        ingest("a"), ingest("b", status="refused"), ingest("a"), ingest("b", mode="replace_window"),
        ingest("c", pulled=window), ingest("c", pulled=window),
    ]  # fmt: skip

    assert ingest_causes(ingests) == ["upsert", "upsert", "reparse", "replace_window", "pull", "pull"]
