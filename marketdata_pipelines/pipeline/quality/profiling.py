"""What a feed's validated bars look like: read partition by partition, measured, and turned into expectations.

Nothing is judged or stored in the lake; the measuring is the domain's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_key, partition_span, period_of
from marketdata_pipelines.domain.quality.feed_profile import FeedFigures
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.statistics import ColumnStatistics
from marketdata_pipelines.domain.quality.suggestions import MARGIN
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.stores.lake.lake import Lake

PROFILED = "profiled.yaml"
# Few enough to be told one by one.
_LISTED_SYMBOLS = 100


@dataclass(frozen=True, slots=True)
class ProfileQuestion:
    """Which bars to look at: sessions from `start` to `end`, both included, of some symbols; None: all."""

    start: date | None = None
    end: date | None = None
    symbols: tuple[str, ...] | None = None


def stored_keys(lake: Lake, feed: Feed, question: ProfileQuestion) -> list[str]:
    """The partitions with validated bars that a question is about.

    Errors: PartitionMissing when there are none.
    """
    period = period_of(feed.partition)
    first = partition_key(question.start, period) if question.start else ""
    last = partition_key(question.end, period) if question.end else "9999-99-99"
    keys = [item.partition for item in lake.catalog.stored(VALIDATED_BARS, feed.name, first, last)]
    if not keys:
        where = f" between {question.start or 'the first'} and {question.end or 'the last'} session"
        asked = where if question.start or question.end else ""
        raise PartitionMissing(
            f"{feed.name} has no validated bars{asked}; run: marketdata backfill {feed.name} --start D --end D"
        )
    return keys


def profile_feed(
    lake: Lake, feed: Feed, question: ProfileQuestion, *, on_partition: Callable[[str], object] = lambda key: None
) -> FeedFigures:
    """Measure a feed's validated bars; `on_partition` is told each partition that is done.

    Memory is one partition. What could not be known yet when a partition was last brought is not missing.

    Errors: PartitionMissing when there are no validated bars of the question.
    """
    figures = FeedFigures()
    keys = stored_keys(lake, feed, question)
    horizons = lake.catalog.horizons(feed.name, keys[0], keys[-1])
    for key in keys:
        bars = lake.read(VALIDATED_BARS, feed.name, key, symbols=question.symbols)
        bars = _within(bars, question)
        sessions = feed_calendar(feed).sessions(*partition_span(key, period_of(feed.partition)))
        profiles = profile_bars(feed, bars, sessions, horizons.get(key, 0))
        figures.add(bars, profiles, within_sessions=feed.interval.is_intraday)
        on_partition(key)
    if not figures.bars:
        raise PartitionMissing(f"{feed.name} has no validated bars of what was asked for; name other dates or symbols")
    return figures


def profiled_expectations(feed: Feed, figures: FeedFigures) -> str:
    """Great Expectations configurations that the measured bars keep to with room to spare, as YAML.

    All of them warn (`severity: warning`): change what should block to `critical`.
    """
    prices = [_between(name, figures.columns[name], feed) for name in PRICES]
    found = [_expectation("expect_column_values_to_not_be_null", name) for name in PRICES if _is_full(figures, name)]
    found += [each for each in prices if each is not None]
    volume = figures.columns["volume"]
    if volume.count:
        greatest = float(np.ceil((volume.summary(()).greatest or 0.0) * MARGIN))
        found.append(_expectation("expect_column_values_to_be_between", "volume", min_value=0.0, max_value=greatest))
        if _is_full(figures, "volume"):
            found.append(_expectation("expect_column_values_to_not_be_null", "volume"))
    if len(figures.symbols) <= _LISTED_SYMBOLS:
        symbols = sorted(figures.symbols)
        found.append(_expectation("expect_column_values_to_be_in_set", "symbol", value_set=symbols))
    head = (
        f"# Written by `marketdata profile {feed.name}` from {figures.bars:,} bars of {len(figures.symbols):,} symbols "
        f"in {len(figures.sessions):,} sessions.\n# Ranges are those seen, with a margin of {MARGIN:g}. "
        "Great Expectations reads these configurations as they are.\n"
    )
    document = {"table": VALIDATED_BARS, "expectations": found}
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False)


def write_expectations(folder: Path, text: str, *, force: bool) -> Path:
    """Write them to `profiled.yaml` in a feed's folder of expectations, whole or not at all.

    Errors: SettingsInvalid when the file is there and `force` is not given.
    """
    path = folder / PROFILED
    if path.exists() and not force:
        raise SettingsInvalid(f"{path} is there already; give --force to replace it, or move your own to another file")
    folder.mkdir(parents=True, exist_ok=True)
    # Not an ending that is read as expectations, should this be interrupted.
    temporary = path.with_name(f".{PROFILED}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path


def _within(bars: pa.Table, question: ProfileQuestion) -> pa.Table:
    """Bars of the sessions asked for, where a partition has others too."""
    for bound, keep in ((question.start, pc.greater_equal), (question.end, pc.less_equal)):
        if bound is not None and bars.num_rows:
            inside = keep(bars["session_date"], pa.scalar(bound, pa.date32()))
            bars = bars if pc.all(inside).as_py() else bars.filter(inside)
    return bars


def _between(name: str, statistics: ColumnStatistics, feed: Feed) -> dict[str, object] | None:
    found = statistics.summary(())
    if found.least is None or found.greatest is None:
        return None
    if feed.allow_nonpositive_prices:
        room = (found.greatest - found.least) * (MARGIN - 1)
        low, high = found.least - room, found.greatest + room
    else:
        low, high = found.least / MARGIN, found.greatest * MARGIN
    return _expectation(
        "expect_column_values_to_be_between", name, min_value=float(f"{low:.6g}"), max_value=float(f"{high:.6g}")
    )


def _is_full(figures: FeedFigures, name: str) -> bool:
    return figures.columns[name].nulls == 0


def _expectation(kind: str, column: str, **limits: object) -> dict[str, object]:
    return {"type": kind, "kwargs": {"column": column, **limits}, "severity": "warning"}
