"""`marketdata publish`: what the lake has of a feed into the serving stores, without Dagster."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, FeedName, Out, answer_format

if TYPE_CHECKING:
    from marketdata_pipelines.cli.publish_report import Line
    from marketdata_pipelines.serving.answers import LakeReader

_NAMED = 3


class Target(StrEnum):
    """A serving store."""

    TIMESCALE = "timescale"
    REDIS = "redis"


FirstDate = Annotated[
    str | None, typer.Option("--start", metavar="D", help="Publish again what holds dates from here.")
]
LastDate = Annotated[str | None, typer.Option("--end", metavar="D", help="… up to this date, included.")]
OneStore = Annotated[
    Target | None, typer.Option("--store", help="Only this store; every configured one when left out.")
]


def publish(
    feed: FeedName,
    start: FirstDate = None,
    end: LastDate = None,
    store: OneStore = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Bring PostgreSQL or TimescaleDB, and Redis, up to date with the lake.

    Without dates: what is behind. With dates: every partition of the range, compared and mended where it differs.
    Afterwards each is compared with the lake; exit code 1 when one failed or differs. The stores are
    MARKETDATA_TIMESCALE_DSN and MARKETDATA_REDIS_URL; `marketdata up` publishes by itself.

    [bold]Examples[/bold]

    marketdata publish demo_nyse_1m

    marketdata publish demo_nyse_1m --start 2024-07-01 --end 2024-07-31 --store timescale --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.publish_report import lines_table
    from marketdata_pipelines.errors import WorkFailed
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range

    reader, dates = LakeReader(), date_range(start, end)
    targets = [store] if store is not None else _configured(reader)
    lines = [line for each in targets for line in _work(reader, feed, each, dates.start_date, dates.end_date)]
    write_answer(lines_table(lines), wanted, out, title=f"{feed} published")
    wrong = [line for line in lines if line.problem]
    if wrong:
        first = wrong[0]
        named = ", ".join(f"{each.table} {each.partition}" for each in wrong[:_NAMED])
        raise WorkFailed(
            f"{len(wrong)} of {len(lines)} partitions of {feed} are not in the store as in the lake: {named}"
            f"{' …' if len(wrong) > _NAMED else ''}. First: {first.problem}"
        )


def _configured(reader: "LakeReader") -> list[Target]:
    from marketdata_pipelines.errors import SettingsInvalid

    settings = reader.settings
    found = [Target.TIMESCALE] if settings.timescale_dsn is not None else []
    found += [Target.REDIS] if settings.redis_url is not None else []
    if not found:
        raise SettingsInvalid(
            "no serving store is configured; set MARKETDATA_TIMESCALE_DSN (postgresql://user:password@host/database) "
            "or MARKETDATA_REDIS_URL (redis://host:port/0)"
        )
    return found


def _work(reader: "LakeReader", feed: str, target: Target, start: date | None, end: date | None) -> "Iterator[Line]":
    return _to_redis(reader, feed, start or end) if target is Target.REDIS else _to_sql(reader, feed, start, end)


def _to_sql(reader: "LakeReader", name: str, start: date | None, end: date | None) -> "Iterator[Line]":
    from marketdata_pipelines.cli.progress import progress_bar
    from marketdata_pipelines.cli.publish_report import lines_of
    from marketdata_pipelines.domain.store_tables import store_sets
    from marketdata_pipelines.pipeline.publishing import Publisher, keys_to_publish
    from marketdata_pipelines.pipeline.serving_stores import timescale_store

    feed = reader.feed(name)
    with timescale_store(reader.settings) as store:
        publisher = Publisher(reader.lake, store, feed)
        publisher.ready()
        work = {each: keys_to_publish(reader.lake, store, feed, each, start, end) for each in store_sets(feed)}
        with progress_bar(f"publishing {name}", sum(map(len, work.values()))) as bar:
            for store_set, keys in work.items():
                for outcome in publisher.publish(store_set, keys):
                    bar.tell(f"{outcome.asset} {outcome.partition}")
                    bar.advance()
                    yield from lines_of(outcome)
        publisher.settle()


def _to_redis(reader: "LakeReader", name: str, everything: date | None) -> "Iterator[Line]":
    from marketdata_pipelines.cli.publish_report import hot_line
    from marketdata_pipelines.pipeline.hot_set import fill_hot_set
    from marketdata_pipelines.pipeline.serving_stores import redis_store

    feed = reader.feed(name)
    with redis_store(reader.settings) as redis:
        for each in fill_hot_set(reader.lake, redis, feed, everything=everything is not None):
            yield hot_line(each)
