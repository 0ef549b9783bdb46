"""Reading a file's time column as UTC instants, one rule a row that cannot be.

How the format is recognised is in `times`; what a repeated local hour means is decided in `repeated`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS, TS_NS
from marketdata_pipelines.domain.feeds import Feed, Label
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.sources.files.arrays import Column
from marketdata_pipelines.sources.files.dayorder import has_day_order, swapped_rows
from marketdata_pipelines.sources.files.epochs import read_epochs
from marketdata_pipelines.sources.files.layouts import WrittenTimes, read_written
from marketdata_pipelines.sources.files.times import join_padded
from marketdata_pipelines.sources.files.zones import exchange_zone, local_to_utc, utc_to_local

US_PER_SECOND, NS_PER_SECOND = 10**6, 10**9
_DAY_SECONDS = 86_400
_UNIT_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How a file's times are read: `time_format` and `zone` as planned, in ticks of 1/`ticks_per_second`.

    `daily`: the feed's bars are a day or longer, so that only dates count. `label_ticks` is what is taken
    off a time that labels the bar's end.
    """

    time_format: str
    zone: str
    ticks_per_second: int
    daily: bool
    exchange_zone: str
    label_ticks: int


@dataclass(frozen=True, slots=True)
class Instants:
    """A column of bar opens or trade times in UTC ticks, one entry a row.

    `known`: the instant is certain. `rules`: bits of the rules a row breaks. Where a wall time occurred twice
    (`repeated`) `values` is its first occurrence, `seconds` the second one and `wall` the local time in ticks.
    """

    values: np.ndarray
    known: np.ndarray
    rules: np.ndarray
    repeated: np.ndarray
    seconds: np.ndarray
    wall: np.ndarray


def time_reading(feed: Feed, *, time_format: str, zone: str | None, label: Label, trades: bool) -> TimeReading:
    """The reading of one feed's files; trades are kept in nanoseconds, bars in microseconds."""
    ticks = NS_PER_SECOND if trades else US_PER_SECOND
    daily = not trades and not feed.interval.is_intraday
    local_dates = feed.source.timezone or exchange_zone(feed.calendar)
    # A day, week or month labelled by its end is put into the day before that end.
    width_us = min(feed.interval.us, DAY_US) if label is Label.END and not trades else 0
    return TimeReading(time_format, zone or "UTC", ticks, daily, local_dates, width_us)


def to_timestamps(values: np.ndarray, known: np.ndarray, reading: TimeReading) -> Column:
    """Ticks as the timestamps of a raw table, null where not known."""
    kind = TS_NS if reading.ticks_per_second == NS_PER_SECOND else TS
    return pa.array(values, pa.int64(), mask=None if known.all() else ~known).cast(kind)


def join_cells(parts: Sequence[Column], time_format: str) -> Column:
    """Date and time columns as one text; times of day in digits get back zeros lost at their front."""
    texts: list[Column] = [pc.utf8_trim_whitespace(part.cast(pa.string())) for part in parts]
    width = join_padded(time_format)
    if width and len(texts) > 1:
        texts[-1] = pc.if_else(pc.less(pc.utf8_length(texts[-1]), 1), texts[-1], pc.utf8_lpad(texts[-1], width, "0"))
    joined: Column = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, " ")
    return joined


def read_instants(column: Column, reading: TimeReading, symbols: np.ndarray) -> Instants:
    """Read a time column of any Arrow type; `symbols` are the rows' symbol codes (for `ambiguous_date`)."""
    rules = np.zeros(len(column), np.int64)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        written = _typed(column, reading.ticks_per_second)
    elif reading.time_format.startswith("epoch_"):
        epochs = read_epochs(column, reading.time_format, reading.ticks_per_second, early=reading.daily)
        rules[epochs.other_unit] |= rule_bit("timestamp_unit")
        everywhere = np.ones(len(column), bool)
        written = WrittenTimes(epochs.values, epochs.readable, everywhere, ~everywhere)
    else:
        written = read_written(_texts(column), reading.time_format, reading.ticks_per_second)
        if has_day_order(reading.time_format):
            swapped = swapped_rows(_texts(column), reading.time_format, symbols)
            rules[swapped] |= rule_bit("ambiguous_date")
    rules[~written.readable & (rules == 0)] |= rule_bit("unparsable_timestamp")
    known = written.readable & (rules == 0)
    if reading.daily:
        return _dates(written, reading, known, rules)
    return _instants(written, reading, known, rules)


def _typed(column: Column, ticks_per_second: int) -> WrittenTimes:
    kind = column.type
    readable = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_date(kind):
        days = column.cast(pa.date32()).cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        flags = np.ones(len(column), bool)
        readable &= np.abs(days) < (1 << 62) // (_DAY_SECONDS * ticks_per_second)
        return WrittenTimes(np.where(readable, days, 0) * (_DAY_SECONDS * ticks_per_second), readable, ~flags, flags)
    values = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    per_second = _UNIT_PER_SECOND[kind.unit]
    if per_second > ticks_per_second:
        values = values // (per_second // ticks_per_second)
    elif per_second < ticks_per_second:
        factor = ticks_per_second // per_second
        readable &= np.abs(values) < (1 << 62) // factor
        values = np.where(readable, values, 0) * factor
    aware = np.full(len(column), kind.tz is not None)
    return WrittenTimes(values, readable, aware, np.zeros(len(column), bool))


def _texts(column: Column) -> Column:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _instants(written: WrittenTimes, reading: TimeReading, known: np.ndarray, rules: np.ndarray) -> Instants:
    values = np.where(known, written.values, 0)
    naive = known & ~written.aware
    repeated, second = np.zeros(len(values), bool), values
    if reading.zone != "UTC" and naive.any():
        seconds, rest = np.divmod(values, reading.ticks_per_second)
        local = local_to_utc(seconds, reading.zone)
        first = np.where(naive, local.first * reading.ticks_per_second + rest, values)
        second = np.where(naive, local.second * reading.ticks_per_second + rest, values)
        skipped = naive & local.nonexistent
        rules[skipped] |= rule_bit("local_time_nonexistent")
        repeated = naive & local.ambiguous
        known = known & ~skipped & ~repeated
        values, wall = first, values
    else:
        wall = values
    return Instants(values - reading.label_ticks, known, rules, repeated, second - reading.label_ticks, wall)


def _dates(written: WrittenTimes, reading: TimeReading, known: np.ndarray, rules: np.ndarray) -> Instants:
    """Dates as midnight UTC: a naive time's own date; an instant's UTC date at midnight UTC, else its local date."""
    day = _DAY_SECONDS * reading.ticks_per_second
    values = np.where(known, written.values, 0)
    elsewhere = written.aware & (values % day != 0)
    if elsewhere.any():
        seconds, rest = np.divmod(values, reading.ticks_per_second)
        local = utc_to_local(seconds, reading.exchange_zone) * reading.ticks_per_second + rest
        values = np.where(elsewhere, local, values)
    # A day that ends at midnight is the day before; a date, or a close in the afternoon, is its own day.
    ends = ~written.dated & (values % day == 0) if reading.label_ticks else np.zeros(len(values), bool)
    dates = values // day * day - np.where(ends, day, 0)
    nothing = np.zeros(len(values), bool)
    return Instants(dates, known, rules, nothing, dates, dates)
