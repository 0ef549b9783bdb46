"""The sensor of a feed's gaps: `<feed>__gaps`. What the calendar shows as missing is asked for again, a few at a time.

Newest first: recent sessions matter most, and one the source never gives steps back behind those not tried yet.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SensorResult, SkipReason, sensor

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG
from marketdata_pipelines.orchestration.automation.landing_sensor import OPENED_BY_TAG, now_us
from marketdata_pipelines.orchestration.keys import FEED_TAG
from marketdata_pipelines.orchestration.running.backfills import open_backfills, open_periods
from marketdata_pipelines.pipeline.changes import affected_partitions
from marketdata_pipelines.pipeline.landing import Clock
from marketdata_pipelines.pipeline.missing import Missing, can_be_asked_again, find_missing
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

PARTITIONS_A_BACKFILL = 30
COOL_DOWN_SECONDS = 6 * 3600
_LONGEST_COOL_DOWN_SECONDS = 7 * 86_400
_SECONDS_BETWEEN_LOOKS = 300
# Partitions that were tried in vain are remembered up to this many, the newest ones.
_REMEMBERED = 500


def gap_sensor_name(feed: str) -> str:
    """The sensor that asks for a feed's gaps."""
    return f"{feed}__gaps"


def gap_sensor(
    feed: Feed,
    settings: Settings,
    clock: Clock = now_us,
    *,
    limit: int = PARTITIONS_A_BACKFILL,
    cool_down_seconds: int = COOL_DOWN_SECONDS,
) -> SensorDefinition:
    """The sensor of one feed; stopped until somebody starts it, as it spends a vendor's calls by itself."""
    asks = "its source is asked for them again" if can_be_asked_again(feed) else "only what came in is derived again"

    @sensor(
        name=gap_sensor_name(feed.name),
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=DefaultSensorStatus.STOPPED,
        description=(
            f"Opens a backfill for sessions of {feed.name} that its calendar shows as missing, and for tables that are "
            f"behind: {asks}. At most {limit} partitions at once, newest first, then {cool_down_seconds // 3600} h "
            "of rest; partitions tried in vain rest twice as long each time."
        ),
        tags={FEED_TAG: feed.name},
    )
    def fill(context: SensorEvaluationContext) -> SensorResult:
        return GapFiller(feed, settings, clock, limit, cool_down_seconds).tick(context)

    return fill


@dataclass(frozen=True, slots=True)
class GapMemory:
    """The cursor: when the last backfill was opened, and which partitions were tried how often and when."""

    opened_us: int = 0
    tried: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @staticmethod
    def from_text(text: str | None) -> "GapMemory":
        """The memory a cursor holds; an empty one for a cursor of another make."""
        try:
            values = json.loads(text or "{}")
            tried = {key: (int(times), int(at_us)) for key, (times, at_us) in values.get("tried", {}).items()}
            return GapMemory(int(values.get("opened_us", 0)), tried)
        except (ValueError, TypeError, AttributeError):
            return GapMemory()

    def text(self) -> str:
        """The cursor."""
        kept = dict(sorted(self.tried.items(), reverse=True)[:_REMEMBERED])
        return json.dumps({"opened_us": self.opened_us, "tried": kept}, separators=(",", ":"))

    def next_us(self, key: str, cool_down_seconds: int) -> int:
        """When a partition may be tried again."""
        if key not in self.tried:
            return 0
        times, at_us = self.tried[key]
        return at_us + min(cool_down_seconds * 2 ** min(times, 20), _LONGEST_COOL_DOWN_SECONDS) * SECOND_US


@dataclass(frozen=True, slots=True)
class GapFiller:
    """One look at one feed's gaps."""

    feed: Feed
    settings: Settings
    clock: Clock
    limit: int
    cool_down_seconds: int

    def tick(self, context: SensorEvaluationContext) -> SensorResult:
        """Open a backfill, or say why not."""
        memory, now = GapMemory.from_text(context.cursor), self.clock()
        ready_us = memory.opened_us + self.cool_down_seconds * SECOND_US
        if now < ready_us:
            return _skip(
                f"a backfill was opened at {_instant(memory.opened_us)}; the next one not before {_instant(ready_us)}",
                memory,
            )
        running = open_backfills(context.instance, self.feed.name)
        if running:
            return _skip(
                f"backfill {running[0]} of {self.feed.name} is open; gaps are looked for once it is over", memory
            )
        missing = find_missing(Lake(self.settings.lake), self.feed, now)
        lacking = self._lacking(missing)
        memory = GapMemory(memory.opened_us, {key: memory.tried[key] for key in memory.tried if key in lacking})
        due = [key for key in lacking if memory.next_us(key, self.cool_down_seconds) <= now]
        chosen = sorted(due, key=lambda key: key in memory.tried)[: self.limit]
        work = self._work(missing, chosen)
        if not any(work.values()):
            return _skip(self._nothing_due(missing, lacking, memory), memory)
        return self._open(context, missing, work, chosen, memory)

    def _lacking(self, missing: Missing) -> list[str]:
        base = period_of(self.feed.partition)
        return sorted({*missing.sessions, *missing.stale.get(base, ())}, reverse=True)

    def _work(self, missing: Missing, chosen: list[str]) -> dict[Period, list[str]]:
        """The chosen partitions with the weeks and months they lie in, and weeks and months that are behind alone."""
        base = period_of(self.feed.partition)
        pending = affected_partitions(self.feed, self._lacking(missing))
        work = affected_partitions(self.feed, chosen)
        for period, keys in missing.stale.items():
            if period is not base:
                # Those whose days are still to come would be done twice.
                alone = sorted(set(keys) - set(pending.get(period, ())), reverse=True)[: self.limit]
                work[period] = sorted({*work.get(period, ()), *alone})
        return work

    def _open(
        self,
        context: SensorEvaluationContext,
        missing: Missing,
        work: Mapping[Period, list[str]],
        chosen: list[str],
        memory: GapMemory,
    ) -> SensorResult:
        repository, now = context.repository_def, self.clock()
        assert repository is not None
        tried = {key: (memory.tried.get(key, (0, 0))[0] + 1, now) for key in chosen}
        memory = GapMemory(now, {**memory.tried, **tried})
        tags = {OPENED_BY_TAG: gap_sensor_name(self.feed.name)}
        if not can_be_asked_again(self.feed):
            tags[ACQUIRE_TAG] = "false"
        try:
            opened = open_periods(
                context.instance, repository.asset_graph, self.feed, work, title=f"{self.feed.name}: gaps", tags=tags
            )
        except WorkFailed as error:
            return _skip(str(error), memory)
        span = f"{min(chosen)} … {max(chosen)}" if len(chosen) > 1 else "".join(chosen)
        text = f"backfill {opened} asks for {_counted(len(chosen), 'partition')} {span}".rstrip()
        context.log.info(text)
        return _skip(f"{text}; {_seen(missing)}", memory)

    def _nothing_due(self, missing: Missing, lacking: list[str], memory: GapMemory) -> str:
        if not lacking:
            return f"{self.feed.name} lacks nothing that its calendar shows"
        next_us = min(memory.next_us(key, self.cool_down_seconds) for key in lacking)
        return f"{_seen(missing)}; all were tried in vain, the next attempt is at {_instant(next_us)}"


def _seen(missing: Missing) -> str:
    texts = []
    if missing.sessions:
        keys = list(missing.sessions)
        texts.append(f"{_counted(sum(missing.sessions.values()), 'session')} missing in {keys[-1]} … {keys[0]}")
    stale = sum(len(keys) for keys in missing.stale.values())
    if stale:
        texts.append(f"{_counted(stale, 'partition')} behind the raw data")
    return ", ".join(texts) or "nothing is missing"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _skip(text: str, memory: GapMemory) -> SensorResult:
    return SensorResult(skip_reason=SkipReason(text), cursor=memory.text())


def _instant(us: int) -> str:
    return datetime.fromtimestamp(us / SECOND_US, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
