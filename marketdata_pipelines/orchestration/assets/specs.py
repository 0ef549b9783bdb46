"""Asset and check specs of a feed: what the graph declares before anything runs."""

import warnings
from typing import Any

from dagster import (
    AssetCheckSpec,
    AssetDep,
    AssetSpec,
    MetadataValue,
    PreviewWarning,
    TimeWindowPartitionsDefinition,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.references import ReferenceKind
from marketdata_pipelines.domain.tables import TableSet, asset_sets
from marketdata_pipelines.orchestration import keys
from marketdata_pipelines.orchestration.assets.columns import column_schema
from marketdata_pipelines.orchestration.assets.freshness_policy import freshness_policy
from marketdata_pipelines.orchestration.assets.mappings import mapping_between
from marketdata_pipelines.quality.checks import check_specs


def period_specs(feed: Feed, period: Period, partitions: TimeWindowPartitionsDefinition) -> list[AssetSpec]:
    """The specs of a feed's assets of one period, upstream first.

    They are skippable: a blocked partition materializes nothing downstream, and that is no error of the step.
    """
    sets = {table_set.name: table_set for table_set in asset_sets(feed)}
    return [_asset_spec(feed, table_set, sets, partitions) for table_set in sets.values() if table_set.period is period]


def period_check_specs(feed: Feed, period: Period, partitions: TimeWindowPartitionsDefinition) -> list[AssetCheckSpec]:
    """The specs of every check the feed's assets of one period carry, partitioned like the asset."""
    names = {table_set.name for table_set in asset_sets(feed) if table_set.period is period}
    with warnings.catch_warnings():
        # Partitioned checks are marked preview; the result is stored and shown by partition.
        warnings.simplefilter("ignore", PreviewWarning)
        return [
            AssetCheckSpec(
                name=spec.name,
                asset=keys.asset_key(feed.name, spec.asset),
                description=spec.text,
                blocking=spec.blocking,
                partitions_def=partitions,
            )
            for spec in check_specs(feed)
            if spec.asset in names
        ]


def _asset_spec(
    feed: Feed, table_set: TableSet, sets: dict[str, TableSet], partitions: TimeWindowPartitionsDefinition
) -> AssetSpec:
    deps = [
        AssetDep(
            keys.asset_key(feed.name, upstream),
            partition_mapping=mapping_between(sets[upstream].period, table_set.period),
        )
        for upstream in table_set.upstream
    ]
    return AssetSpec(
        key=keys.asset_key(feed.name, table_set.name),
        deps=deps,
        description=keys.asset_text(feed, table_set),
        group_name=feed.name,
        kinds=keys.asset_kinds(feed, table_set.name),
        owners=keys.asset_owners(feed),
        tags=keys.asset_tags(feed),
        metadata={
            "tables": ", ".join(table_set.tables),
            "feed_version": feed.version,
            "dagster/column_schema": column_schema(table_set.name),
            **_applied_on_reading(feed),
        },
        partitions_def=partitions,
        freshness_policy=freshness_policy(feed),
        skippable=True,
    )


def _applied_on_reading(feed: Feed) -> dict[str, Any]:
    """Links to the references a feed names. Edges would call every partition stale with each new action."""
    named = {
        ReferenceKind.CORPORATE_ACTIONS: feed.corporate_actions,
        ReferenceKind.INSTRUMENTS: feed.instruments,
    }
    return {
        str(kind): MetadataValue.asset(keys.asset_key(name, str(kind)))
        for kind, name in named.items()
        if name is not None
    }
