"""What a step of the graph is asked to do."""

from collections.abc import Callable
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.settings.environment import Settings

OnOutcome = Callable[[PartitionOutcome], None]


@dataclass(frozen=True, slots=True)
class Walk:
    """One step's task: a feed's assets of one period. `on_outcome` hears of each partition once it is recorded."""

    feed: Feed
    period: Period
    settings: Settings
    on_outcome: OnOutcome | None = None
