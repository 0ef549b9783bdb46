"""Runs the graph for chosen partitions through Dagster, with progress, and adds up what it did."""

from collections.abc import Mapping, Sequence

from marketdata_pipelines.cli.consoles import notes, plain
from marketdata_pipelines.cli.progress import progress_bar
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import asset_sets
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
    refetch: bool = False,
) -> Tally:
    """Walk partitions by period, base period first, one run a period; `wanted` narrows the assets.

    `acquire=False` leaves the feed's source alone: what is in the lake already is walked.
    `refetch` asks a vendor again for what it has already answered.

    Blocked partitions are in the tally, not raised: those beside them are written all the same.
    """
    planned = [(period, list(keys), assets_of(feed, period, wanted)) for period, keys in work.items()]
    planned = [(period, keys, assets) for period, keys, assets in planned if keys and assets]
    tally = Tally(feed.interval.name)
    with progress_bar(feed.name, sum(len(keys) for _, keys, _ in planned)) as bar:
        bar.tell("starting Dagster")
        from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG, REFETCH
        from marketdata_pipelines.orchestration.history.instance import instance_for
        from marketdata_pipelines.orchestration.running.runs import run_partitions

        tags = {ACQUIRE_TAG: REFETCH} if refetch else {}

        def note(outcome: PartitionOutcome) -> None:
            tally.add(outcome)
            if outcome.is_verdict:
                bar.tell(f"{outcome.partition} is judged")
                return
            bar.advance()
            bar.tell(outcome.partition)

        # One instance for all the runs: opening its storage takes longer than walking a small partition.
        with instance_for(settings) as instance:
            for period, keys, assets in planned:
                try:
                    report = run_partitions(
                        settings, feed, period, keys, assets,
                        on_outcome=note, acquire=acquire, tags=tags, instance=instance,
                    )  # fmt: skip
                except WorkFailed as error:
                    tally.add_run(succeeded=False, message=str(error))
                else:
                    tally.add_run(succeeded=report.succeeded, message=report.message)
    return tally


def materialize_with_daemon(
    settings: Settings,
    feed: Feed,
    work: Mapping[Period, Sequence[str]],
    wanted: frozenset[str],
    *,
    refetch: bool = False,
) -> Tally | None:
    """The same work by the daemon of this data folder, which queues it with everything else, and followed here.

    None where no daemon runs, or its graph lacks some of the partitions. Ctrl-C cancels the backfill.
    """
    from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG, REFETCH
    from marketdata_pipelines.orchestration.history.instance import instance_for
    from marketdata_pipelines.orchestration.running.following import cancel, follow, hand_over, has_daemon

    if not has_daemon(settings):
        return None
    tally = Tally(feed.interval.name)
    planned = {period: keys for period, keys in work.items() if keys and assets_of(feed, period, wanted)}
    with instance_for(settings) as instance, progress_bar(feed.name, sum(map(len, planned.values()))) as bar:
        backfill = hand_over(instance, settings, feed, planned, wanted, {ACQUIRE_TAG: REFETCH} if refetch else {})
        if backfill is None:
            return None

        def note(outcome: PartitionOutcome) -> None:
            tally.add(outcome)
            if outcome.is_verdict:
                bar.tell(f"{outcome.partition} is judged")
                return
            bar.advance()
            bar.tell(outcome.partition)

        try:
            text = f"backfill {backfill} is with the daemon of this data folder; Ctrl-C cancels it"
            notes().print(plain(text, "dim"))
            reports = follow(instance, settings, backfill, note)
        except KeyboardInterrupt:
            cancel(instance, backfill)
            tally.add_run(succeeded=False, message=f"backfill {backfill} was cancelled; what was written stays")
            return tally
    for report in reports:
        tally.add_run(succeeded=report.succeeded, message=report.message)
    return tally


def assets_of(feed: Feed, period: Period, wanted: frozenset[str] | None = None) -> list[str]:
    """The feed's assets of a period, upstream first."""
    names = [table_set.name for table_set in asset_sets(feed) if table_set.period is period]
    return [name for name in names if wanted is None or name in wanted]
