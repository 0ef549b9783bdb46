"""Under which definition a feed was taken in and walked when, so that an earlier answer is derived by that one."""

from marketdata_pipelines.domain.feed_records import feed_text, read_feed
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.stores.lake.definitions import Definitions
from marketdata_pipelines.stores.lake.lake import Lake


def note_definition(lake: Lake, feed: Feed, now_us: int) -> None:
    """Record that a feed is defined so, if it was not before; asked before anything is taken in or derived by it."""
    Definitions(lake.layout.catalog).record(feed.name, feed.version, feed_text(feed), now_us)


def definition_at(lake: Lake, feed: Feed, as_of_us: int | None) -> Feed:
    """The definition in force at an instant (UTC microseconds); `feed` itself where none other was recorded.

    Errors: SettingsInvalid when it was recorded by a release this one cannot read.
    """
    if as_of_us is None:
        return feed
    found = Definitions(lake.layout.catalog).at(feed.name, as_of_us)
    return feed if found is None or found[0] == feed.version else read_feed(found[1])
