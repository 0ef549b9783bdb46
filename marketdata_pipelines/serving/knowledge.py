"""What a feed's reference data say at an instant: who bore a symbol, and which corporate actions there were."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.lake import Lake

# Most questions are about feeds without reference data: they do not wait for what only others need.
if TYPE_CHECKING:
    from marketdata_pipelines.domain.symbology import Resolver
    from marketdata_pipelines.serving.adjusting import Adjusting

_RAW = "raw"


class Knowledge:
    """The reference data of one lake's feeds; keeps what was built of them last."""

    def __init__(self, lake: Lake, references: Mapping[str, Reference]) -> None:
        self._lake, self._references = lake, references
        self._built: dict[str, tuple[pa.Table, Resolver]] = {}

    def actions(self, feed: Feed, as_of_us: int | None) -> pa.Table | None:
        """The feed's corporate actions known at an instant; None where it names none."""
        if feed.corporate_actions is None:
            return None
        from marketdata_pipelines.pipeline.references import actions_of

        return actions_of(self._lake, feed, self._references, as_of_us)

    def resolver(self, feed: Feed, as_of_us: int | None) -> "Resolver | None":
        """The feed's instruments known at an instant; None where it names none."""
        if feed.instruments is None:
            return None
        from marketdata_pipelines.domain.symbology import Resolver
        from marketdata_pipelines.pipeline.references import instruments_of

        aliases = instruments_of(self._lake, feed, self._references, as_of_us)
        if aliases is None:
            return None
        kept = self._built.get(feed.name)
        if kept is None or kept[0] is not aliases:
            kept = self._built[feed.name] = (aliases, Resolver(aliases))
        return kept[1]

    def adjusting(
        self, feed: Feed, adjustment: str, anchor: date, as_of_us: int | None, resolver: "Resolver | None"
    ) -> "Adjusting | None":
        """How a question is adjusted; None for raw prices.

        Errors: SettingsInvalid for an adjustment there is not, or a feed that names no corporate actions.
        """
        if adjustment == _RAW:
            return None
        from marketdata_pipelines.domain.adjustment import Adjustment
        from marketdata_pipelines.serving.adjusting import Adjusting

        if adjustment not in list(Adjustment):
            raise SettingsInvalid(f"adjustment is {adjustment!r}; allowed: {', '.join(Adjustment)}")
        actions = self.actions(feed, as_of_us)
        if actions is None:
            raise SettingsInvalid(
                f"{feed.name} names no corporate actions, so its prices cannot be adjusted; give it "
                "`corporate_actions: NAME` in feeds.yaml, with NAME under references"
            )
        return Adjusting(Adjustment(adjustment), anchor, actions, resolver)


def anchor_of(wanted: TimeRange, adjust_as_of: date | None, as_of_us: int | None) -> date:
    """The last ex date that counts: as asked, else the end of the range, else of what was known, else today (UTC)."""
    if adjust_as_of is not None:
        return adjust_as_of
    if wanted.end_date is not None:
        return wanted.end_date
    if wanted.end_ts is not None:
        return wanted.end_ts.date()
    return datetime.now(UTC).date() if as_of_us is None else datetime.fromtimestamp(as_of_us / 1e6, UTC).date()
