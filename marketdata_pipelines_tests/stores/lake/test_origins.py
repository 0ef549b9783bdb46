"""Vendors' answers, kept."""

import pytest

from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import OriginPayload, is_origin, read_origin, write_origin

FIRST = OriginPayload(b'{"bars": []}', "GET /v1/bars?symbols=A", 1_720_000_000_000_000)
SECOND = OriginPayload(b"", "GET /v1/bars?symbols=A&cursor=1", 1_720_000_000_500_000)


def test_answers_are_found_again_as_they_were_and_in_order(lake: Lake) -> None:
    payloads = [FIRST, SECOND, FIRST, OriginPayload(bytes(range(256)) * 100, "GET x", 0)]

    name = write_origin(lake.layout, "feed", "ccxt:binance", payloads)

    assert name.startswith("origin://ccxt:binance/")
    assert is_origin(name)
    assert not is_origin("landing/a.csv")
    assert read_origin(lake.layout, "feed", name) == payloads


def test_the_same_content_is_kept_once_and_the_same_answers_have_one_name(lake: Lake) -> None:
    one = write_origin(lake.layout, "feed", "v", [FIRST, FIRST])
    again = write_origin(lake.layout, "feed", "v", [FIRST, FIRST])
    other = write_origin(lake.layout, "feed", "v", [FIRST, SECOND])

    files = sorted(path.suffix for path in (lake.layout.root / "origins" / "feed").iterdir())
    assert one == again != other
    assert files == [".json", ".json", ".zst", ".zst"]
    assert list(lake.layout.temporary.iterdir()) == []


def test_what_was_removed_is_missing_and_what_was_damaged_is_said_to_be(lake: Lake) -> None:
    name = write_origin(lake.layout, "feed", "v", [FIRST])
    (body,) = (lake.layout.root / "origins" / "feed").glob("*.zst")

    with pytest.raises(PartitionMissing, match="origin://v/nothing of feed is not in"):
        read_origin(lake.layout, "feed", "origin://v/nothing")
    body.write_bytes(b"\x28\xb5\x2f\xfd damaged")
    with pytest.raises(StoreError, match="cannot be read"):
        read_origin(lake.layout, "feed", name)
    body.unlink()
    with pytest.raises(PartitionMissing):
        read_origin(lake.layout, "feed", name)
