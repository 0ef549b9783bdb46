"""Which partitions of an upstream asset a partition needs: by session date, within one feed.

For your own assets too: `AssetDep(key, partition_mapping=SessionDateMapping())` on a feed's partitions.
"""

import re
import warnings
from datetime import datetime
from typing import Self

from dagster import (
    BetaWarning,
    DagsterInvalidDefinitionError,
    IdentityPartitionMapping,
    PartitionMapping,
    PartitionsDefinition,
    TimeWindowPartitionMapping,
    TimeWindowPartitionsDefinition,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.mapping import UpstreamPartitionsResult
from dagster._core.definitions.partitions.subset import PartitionsSubset
from dagster._core.instance import DynamicPartitionsStore

from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span
from marketdata_pipelines.domain.sessions import days_between
from marketdata_pipelines.orchestration.assets.partitions import PERIOD_CRON

_DAYS_CRON = re.compile(r"^0 0 \* \* [0-6](-[0-6])?(,[0-6](-[0-6])?)+$|^0 0 \* \* [0-6]-[0-6]$")


def mapping_between(upstream: Period, downstream: Period) -> PartitionMapping:
    """The mapping of an edge between two assets of one feed.

    Within one period it is the identity, also for 2d bars, whose pairs may reach into a neighbour: the walk reads
    and rewrites that neighbour itself.
    """
    return IdentityPartitionMapping() if upstream is downstream else SessionDateMapping()


class SessionDateMapping(TimeWindowPartitionMapping):
    """A partition needs exactly the upstream partitions whose key (a date) lies within its own days.

    Dagster's mapping compares windows and rounds a window that begins on a closed day down to the session before
    it: a week with a Monday holiday would need the Friday before. Upstream partitions that do not exist yet (the
    rest of the open week) are not needed.

    Dagster serializes by class name and its web server and daemon do not import user code, so this class goes by
    its parent's name there: those processes see the parent. For the partitions of `assets.partitions` its downstream
    direction, on which backfills rest, is the same.
    """

    def __new__(cls) -> Self:
        with warnings.catch_warnings():
            # Allowing partitions that do not exist yet is marked beta.
            warnings.simplefilter("ignore", BetaWarning)
            mapping: Self = super().__new__(cls, allow_nonexistent_upstream_partitions=True)
        return mapping

    @property
    def description(self) -> str:
        return "Needs the upstream partitions whose session date lies within the partition's own days."

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionsSubset[str] | None,
        downstream_partitions_def: PartitionsDefinition[str] | None,
        upstream_partitions_def: PartitionsDefinition[str],
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> UpstreamPartitionsResult:
        """Every existing upstream partition whose date lies within the downstream partitions."""
        upstream = _time_windows(upstream_partitions_def)
        with partition_loading_context(current_time, dynamic_partitions_store):
            return UpstreamPartitionsResult(
                partitions_subset=_mapped(downstream_partitions_subset, downstream_partitions_def, upstream),
                required_but_nonexistent_subset=upstream.empty_subset(),
            )

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionsSubset[str],
        upstream_partitions_def: PartitionsDefinition[str],
        downstream_partitions_def: PartitionsDefinition[str] | None,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> PartitionsSubset[str]:
        """Every existing downstream partition that contains one of the upstream dates."""
        with partition_loading_context(current_time, dynamic_partitions_store):
            downstream = _time_windows(downstream_partitions_def)
            return _mapped(upstream_partitions_subset, upstream_partitions_def, downstream)


# Serialization looks classes up by this name; see the class.
SessionDateMapping.__name__ = TimeWindowPartitionMapping.__name__


def _mapped(
    subset: PartitionsSubset[str] | None,
    partitions: PartitionsDefinition[str] | None,
    target: TimeWindowPartitionsDefinition,
) -> PartitionsSubset[str]:
    """The existing partitions of `target` that share a date with the partitions of `subset`."""
    keys = [] if subset is None else subset.get_partition_keys()
    source_period, target_period = _period(_time_windows(partitions)), _period(target)
    days = (day for key in keys for day in days_between(*partition_span(key, source_period)))
    wanted = dict.fromkeys(partition_key(day, target_period) for day in days)
    existing = set(target.get_partition_keys()) if wanted else set()
    return target.subset_with_partition_keys([key for key in wanted if key in existing])


def _time_windows(partitions: PartitionsDefinition[str] | None) -> TimeWindowPartitionsDefinition:
    if not isinstance(partitions, TimeWindowPartitionsDefinition):
        raise DagsterInvalidDefinitionError(
            f"SessionDateMapping maps day, week, month and year partitions of a feed, not {partitions!r}; "
            "take them from another asset of the feed"
        )
    return partitions


def _period(partitions: TimeWindowPartitionsDefinition) -> Period:
    for period, cron in PERIOD_CRON.items():
        if partitions.cron_schedule == cron:
            return period
    if _DAYS_CRON.match(partitions.cron_schedule):
        return Period.DAY
    raise DagsterInvalidDefinitionError(
        f"SessionDateMapping knows partitions that begin at midnight of a day, a Monday, a first of month or of "
        f"January; {partitions.cron_schedule!r} is none of these"
    )
