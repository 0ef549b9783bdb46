"""Runs the graph for chosen partitions through Dagster, with progress, and adds up what it did."""

from collections.abc import Mapping, Sequence

from marketdata_pipelines.cli.progress import progress_bar
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.settings.environment import Settings


def materialize(
    settings: Settings,
    feed: Feed,
    work: Mapping[Period, Sequence[str]],
    wanted: frozenset[str] | None = None,
    *,
    acquire: bool = True,
) -> Tally:
    """Walk partitions by period, base period first, one run a period; `wanted` narrows the assets.

    `acquire=False` leaves the feed's source alone: what is in the lake already is walked.

    Blocked partitions are in the tally, not raised: those beside them are written all the same.
    """
    planned = [(period, list(keys), assets_of(feed, period, wanted)) for period, keys in work.items()]
    planned = [(period, keys, assets) for period, keys, assets in planned if keys and assets]
    tally = Tally(feed.interval.name)
    with progress_bar(feed.name, sum(len(keys) for _, keys, _ in planned)) as bar:
        bar.tell("starting Dagster")
        from marketdata_pipelines.orchestration.runs import run_partitions

        def note(outcome: PartitionOutcome) -> None:
            tally.add(outcome)
            bar.advance()
            bar.tell(outcome.partition)

        for period, keys, assets in planned:
            try:
                report = run_partitions(settings, feed, period, keys, assets, on_outcome=note, acquire=acquire)
            except WorkFailed as error:
                tally.add_run(succeeded=False, message=str(error))
            else:
                tally.add_run(succeeded=report.succeeded, message=report.message)
    return tally


def assets_of(feed: Feed, period: Period, wanted: frozenset[str] | None = None) -> list[str]:
    """The feed's assets of a period, upstream first."""
    names = [table_set.name for table_set in feed_tables(feed) if table_set.period is period]
    return [name for name in names if wanted is None or name in wanted]
