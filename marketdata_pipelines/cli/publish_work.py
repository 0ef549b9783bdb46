"""The work of `marketdata publish`, store by store: what was done, a line a table and partition."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from marketdata_pipelines.cli.progress import progress_bar
from marketdata_pipelines.cli.publish_report import Line, hot_line, lines_of, view_line
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import MarketDataError, SettingsInvalid
from marketdata_pipelines.pipeline.serving_stores import redis_store, timescale_store
from marketdata_pipelines.serving.answers import LakeReader

if TYPE_CHECKING:
    import pyarrow as pa

    from marketdata_pipelines.stores.timescale.publishing import TimescaleStore

Dates = tuple[date | None, date | None]


@dataclass(slots=True)
class PublishWork:
    """What was done to the stores so far, and which of them stopped."""

    reader: LakeReader
    feed: Feed
    dates: Dates
    lines: list[Line] = field(default_factory=list)
    stopped: list[MarketDataError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def publish_to(self, target: str) -> None:
        """Publish to one store. One that stops half-way is noted, so that the others get theirs.

        Errors: SettingsInvalid.
        """
        # A partition that was published twice stands as it was left.
        found: dict[tuple[str, str], Line] = {}
        try:
            for line in _to_redis(self) if target == "redis" else _to_sql(self):
                found[line.table, line.partition] = line
        except SettingsInvalid:
            raise
        except MarketDataError as error:
            self.stopped.append(error)
            if found:
                self.notes.append(
                    f"{len(found)} tables of partitions were published before and stay; the same command goes on"
                )
        else:
            self.lines += found.values()


def _to_sql(work: PublishWork) -> Iterator[Line]:
    from marketdata_pipelines.pipeline.publish_rounds import PublishRounds
    from marketdata_pipelines.pipeline.publishing import Publisher

    lake, feed = work.reader.lake, work.feed
    with timescale_store(work.reader.settings) as store:
        publisher = Publisher(lake, store, feed)
        publisher.ready()
        rounds = PublishRounds(lake, store, feed, *work.dates)
        is_of_range = False
        while wanted := rounds.next():
            with progress_bar(f"publishing {feed.name}", sum(map(len, wanted.values()))) as bar:
                for store_set, keys in wanted.items():
                    for outcome in publisher.publish(store_set, keys):
                        rounds.note(outcome)
                        bar.tell(f"{outcome.asset} {outcome.partition}")
                        bar.advance()
                        yield from lines_of(outcome)
            is_of_range = work.dates != (None, None)
        publisher.settle()
        yield from _views(work, store, everything=is_of_range)


def _views(work: PublishWork, store: "TimescaleStore", *, everything: bool) -> Iterator[Line]:
    from marketdata_pipelines.pipeline.store_views import refresh_view, views_behind

    def rows(feed: Feed, view: str, first: date, last: date) -> "pa.Table":
        return work.reader.table(feed.name, view, first, last)

    lake = work.reader.lake
    for view in views_behind(lake, store, work.feed, everything=everything):
        yield view_line(refresh_view(lake, store, work.feed, view, rows))


def _to_redis(work: PublishWork) -> Iterator[Line]:
    from marketdata_pipelines.pipeline.hot_set import fill_hot_set

    with redis_store(work.reader.settings) as redis:
        for each in fill_hot_set(work.reader.lake, redis, work.feed, everything=work.dates != (None, None)):
            yield hot_line(each)
