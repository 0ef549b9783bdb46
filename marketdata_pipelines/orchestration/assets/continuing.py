"""What a run that goes on for an earlier one need not do again: partitions that are recorded already.

A retry after a dead worker and a re-execution from the UI carry the id of the run they go on for.
"""

from collections.abc import Sequence

from dagster import AssetKey, AssetRecordsFilter, DagsterInstance, DagsterRun

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.stores.lake.lake import Lake

_MOST_GENERATIONS = 50
_PAGE = 5_000


def remaining(
    instance: DagsterInstance,
    run: DagsterRun,
    assets: frozenset[AssetKey],
    keys: Sequence[str],
    lake: Lake,
    feed: Feed,
    period: Period,
) -> list[str]:
    """The keys a run has still to walk: all of them, less those an earlier run of its line has finished.

    Finished: every selected asset is recorded by one of these runs, and its tables are made from what stands now.
    """
    line = earlier_runs(instance, run)
    if not line or not assets:
        return list(keys)
    done = set.intersection(*(_materialized(instance, key, line) for key in assets))
    if done:
        done -= set(stale_partitions(lake, feed).get(period, ()))
    return [key for key in keys if key not in done]


def earlier_runs(instance: DagsterInstance, run: DagsterRun) -> frozenset[str]:
    """The runs this one goes on for, back to the first."""
    found: set[str] = set()
    parent = run.parent_run_id
    while parent is not None and parent not in found and len(found) < _MOST_GENERATIONS:
        found.add(parent)
        earlier = instance.get_run_by_id(parent)
        parent = None if earlier is None else earlier.parent_run_id
    return frozenset(found)


def _materialized(instance: DagsterInstance, key: AssetKey, runs: frozenset[str]) -> set[str]:
    first = min((run.start_time or 0.0 for run in map(instance.get_run_record_by_id, runs) if run), default=0.0)
    query = AssetRecordsFilter(key, after_timestamp=first - 1)
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(query, limit=_PAGE, cursor=cursor)
        found |= {
            str(record.partition_key)
            for record in page.records
            if record.run_id in runs and record.partition_key is not None
        }
        if not page.has_more:
            return found
        cursor = page.cursor
