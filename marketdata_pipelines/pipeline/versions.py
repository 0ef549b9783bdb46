"""Versions everything derived depends on, and the digests that say what a table was derived from."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.stores.lake.lake import digest


@lru_cache(maxsize=1)
def code_version() -> str:
    """The installed package's version."""
    try:
        return version("marketdata-pipelines")
    except PackageNotFoundError:
        return "unknown"


class Versions:
    """The versions of one feed's derivations."""

    def __init__(self, feed: Feed) -> None:
        calendar = feed_calendar(feed).version
        self._texts = [feed.version, calendar, code_version()]
        self.manifest: dict[str, object] = {
            "feed": feed.name,
            "feed_version": feed.version,
            "calendar_version": calendar,
            "code_version": code_version(),
        }

    def inputs(self, upstream: Iterable[str]) -> str:
        """The digest of a table: what it is derived from (its sources' digests), and the versions."""
        return digest([*upstream, *self._texts])

    def part_inputs(self, part_ids: Sequence[str], *, in_order: bool) -> str:
        """The digest of tables derived from raw parts. Their order counts only where one replaces rows of another."""
        return self.inputs(["in order", *part_ids] if in_order else sorted(part_ids))
