"""`marketdata publish`: what the lake has of a feed into the serving stores, without Dagster."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, FeedName, Format, Out, answer_format

if TYPE_CHECKING:
    from marketdata_pipelines.cli.publish_report import Line
    from marketdata_pipelines.cli.publish_work import PublishWork
    from marketdata_pipelines.domain.feeds import Feed
    from marketdata_pipelines.serving.answers import LakeReader

_NAMED = 3


class Target(StrEnum):
    """A serving store."""

    TIMESCALE = "timescale"
    REDIS = "redis"


_SHOWN = {Target.TIMESCALE: "the SQL store", Target.REDIS: "Redis"}
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
    """Bring PostgreSQL or TimescaleDB, and Redis, up to date with the lake: bars, and the views for dashboards.

    Without dates: what is behind. With dates: every partition of the range, compared and mended where it differs.
    Afterwards each is compared with the lake; exit code 1 when one failed or differs. The stores are
    MARKETDATA_TIMESCALE_DSN and MARKETDATA_REDIS_URL; `marketdata up` publishes by itself.

    [bold]Examples[/bold]

    marketdata publish demo_nyse_1m

    marketdata publish demo_nyse_1m --start 2024-07-01 --end 2024-07-31 --store timescale --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.publish_work import PublishWork
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range

    reader, dates = LakeReader(), date_range(start, end)
    definition = reader.feed(feed)
    targets = [store] if store is not None else _configured(reader, definition)
    work = PublishWork(reader, definition, (dates.start_date, dates.end_date))
    for target in targets:
        work.publish_to(target)
    _tell(work, targets)
    if len(work.stopped) < len(targets) and (work.lines or wanted is not Format.TABLE or out is not None):
        from marketdata_pipelines.cli.answers import write_answer
        from marketdata_pipelines.cli.publish_report import lines_table

        write_answer(lines_table(work.lines), wanted, out, title=f"{feed} published")
    if work.stopped:
        raise work.stopped[0]
    _raise_for_problems(feed, work.lines)


def _configured(reader: "LakeReader", feed: "Feed") -> list[Target]:
    from marketdata_pipelines.errors import SettingsInvalid

    settings, publish = reader.settings, feed.publish
    found = {Target.TIMESCALE: publish.timescale} if settings.timescale_dsn is not None else {}
    found |= {Target.REDIS: publish.redis} if settings.redis_url is not None else {}
    if not found:
        raise SettingsInvalid(
            "no serving store is configured; set MARKETDATA_TIMESCALE_DSN (postgresql://user:password@host/database) "
            "or MARKETDATA_REDIS_URL (redis://host:port/0)"
        )
    targets = [target for target, is_wanted in found.items() if is_wanted]
    if not targets:
        raise SettingsInvalid(
            f"{feed.name} goes to no configured store: its `publish` in {settings.feeds_file} says so; change it "
            f"there, or name the store: --store {next(iter(found))}"
        )
    return targets


def _tell(work: "PublishWork", targets: Sequence[Target]) -> None:
    """On standard error: why nothing was published, or what has to be done before."""
    from marketdata_pipelines.cli.lake_state import filling_hint, walking_hint

    name, lake = work.feed.name, work.reader.lake
    notes = [*work.notes, *(str(error) for error in work.stopped[1:])]
    hint = filling_hint(lake, work.feed) or walking_hint(lake, work.feed)
    if hint:
        notes.append(hint)
    elif not work.lines and not work.stopped:
        named = [_SHOWN[target] for target in targets]
        nothing = f"nothing to do: {' and '.join(named)} {'have' if named[1:] else 'has'} what the lake has of {name}"
        outside = f"nothing to do: neither the lake nor {' nor '.join(named)} has anything of {name} in that range"
        notes.append(nothing if work.dates == (None, None) else outside)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _raise_for_problems(feed: str, lines: "Sequence[Line]") -> None:
    from marketdata_pipelines.errors import WorkFailed

    wrong = [line for line in lines if line.problem]
    if wrong:
        first = wrong[0]
        named = ", ".join(f"{each.table} {each.partition}" for each in wrong[:_NAMED])
        raise WorkFailed(
            f"{len(wrong)} of {len(lines)} partitions of {feed} are not in the store as in the lake: {named}"
            f"{' …' if len(wrong) > _NAMED else ''}. First: {first.problem}"
        )
