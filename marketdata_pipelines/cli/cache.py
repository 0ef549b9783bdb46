"""`marketdata cache`: what the caches hold and how well they do, filling Redis beforehand, and emptying it."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import AsJson, FeedName

if TYPE_CHECKING:
    from marketdata_pipelines.settings.environment import Settings
    from marketdata_pipelines.stores.redis.store import RedisStore

cache = typer.Typer(
    name="cache",
    help="The hot set in Redis: stats, warm, clear.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@cache.command("stats")
def stats(as_json: AsJson = False) -> None:
    """Hits and times by tier over all processes of the last minute, and the memory in use.

    [bold]Examples[/bold]

    marketdata cache stats

    marketdata cache stats --json
    """
    import json
    from contextlib import closing

    from marketdata_pipelines.cli.cache_report import stats_lines, stats_record
    from marketdata_pipelines.settings.environment import Settings

    with closing(_store(Settings())) as store:
        record = stats_record(store)
    print(json.dumps(record, indent=2) if as_json else "\n".join(stats_lines(record)))


@cache.command("warm")
def warm(feed: FeedName, as_json: AsJson = False) -> None:
    """Put a feed's last bars and newest sessions into Redis, more of them for the symbols asked for most.

    [bold]Examples[/bold]

    marketdata cache warm demo_nyse_1m
    """
    import json
    from dataclasses import asdict

    from marketdata_pipelines.cli.consoles import counted
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.cache.warming import warm_feed

    reader = LakeReader()
    report = warm_feed(reader.settings, reader.feed(feed))
    if as_json:
        print(json.dumps(asdict(report)))
        return
    print(
        f"{feed}: the last bars of {counted(report.symbols, 'symbol')} and {counted(report.rows, 'row')} of "
        f"{counted(report.partitions, 'partition')} ({report.bytes / 1e6:,.1f} MB) put into Redis in "
        f"{report.seconds:.1f} s"
    )


@cache.command("clear")
def clear(
    feed: Annotated[
        str | None, typer.Option("--feed", metavar="FEED", help="One feed; everything of the namespace when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take what is kept out of Redis; it comes back as it is asked for. The lake is not touched.

    [bold]Examples[/bold]

    marketdata cache clear --feed demo_nyse_1m
    """
    import json
    from contextlib import closing

    from marketdata_pipelines.cli.consoles import counted
    from marketdata_pipelines.settings.environment import Settings

    settings = Settings()
    with closing(_store(settings)) as store:
        removed = store.clear(feed)
    if as_json:
        print(json.dumps({"removed": removed}))
        return
    print(f"{counted(removed, 'value')} of {feed or f'namespace {settings.redis_namespace}'} removed from Redis")


def _store(settings: "Settings") -> "RedisStore":
    from marketdata_pipelines.errors import SettingsInvalid

    if settings.redis_url is None:
        raise SettingsInvalid("no Redis is configured; set MARKETDATA_REDIS_URL to redis://host:port/0")
    from marketdata_pipelines.pipeline.serving_stores import keep_rules
    from marketdata_pipelines.stores.redis.store import RedisStore

    # Whoever waits for these has more patience than a reader of prices.
    url, keep = settings.redis_url.get_secret_value(), keep_rules(settings)
    return RedisStore.at(url, settings.redis_namespace, keep, timeout_seconds=5.0)
