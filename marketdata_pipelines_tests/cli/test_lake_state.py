"""What a command tells people to run first, where the lake has nothing of a feed or is behind what was brought."""

import pytest

from marketdata_pipelines.cli.lake_state import filling_hint, walking_hint
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.cli.conftest import FEEDS


@pytest.fixture
def shares() -> Feed:
    return parse_feeds(FEEDS, "feeds.yaml")["shares"]


def test_an_empty_lake_is_filled_from_files_or_from_the_source_itself(lake: Lake, shares: Feed) -> None:
    made_up = parse_feeds(FEEDS, "feeds.yaml")["made_up"]

    assert filling_hint(lake, shares).endswith("run: marketdata ingest shares PATH --materialize")
    assert filling_hint(lake, made_up).endswith("run: marketdata backfill made_up --start DATE --end DATE")
    assert walking_hint(lake, shares) == ""


def test_days_that_were_brought_but_not_walked_are_named_until_they_are(lake: Lake, shares: Feed) -> None:
    for day in ("2024-03-07", "2024-03-08"):
        take_in(lake, shares, source_of(f"{day}.csv", minutes("A", f"{day} 14:30", 30)))

    before = walking_hint(lake, shares)
    walk_stale(lake, shares)

    assert before.endswith("run: marketdata backfill shares --start 2024-03-07 --end 2024-03-08")
    assert walking_hint(lake, shares) == filling_hint(lake, shares) == ""
