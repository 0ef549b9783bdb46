"""What a sample's columns are: fields, kind of data, times, volumes; and the refusals that follow.

Each function answers one question of `plan`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.files import columns, times
from marketdata_pipelines.sources.files.epochs import PER_SECOND
from marketdata_pipelines.sources.files.layouts import unknown_tokens
from marketdata_pipelines.sources.files.numbers import NULL_TEXTS, parse_numbers
from marketdata_pipelines.sources.files.positions import guess_positions
from marketdata_pipelines.sources.files.samples import Container, Sample, TimeType
from marketdata_pipelines.sources.files.timestamps import join_cells
from marketdata_pipelines.sources.files.zones import open_zone

_FEWEST_FOR_SWAP = 10
_INTEGER_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class TimePlan:
    """`zone`: of naive times, None where there are none that matter. `assumed`: nothing told it."""

    time_format: str
    zone: str | None
    assumed: bool
    guessed: tuple[str, ...]


def recognise_fields(
    path: str, feed: Feed, container: Container, sample: Sample
) -> tuple[dict[str, str], str | None, bool]:
    """{field: source}, the zone a header names, and whether anything of it was guessed.

    Errors: SourceRejected(missing_column | duplicate_header).
    """
    pinned = _pinned(path, feed, sample)
    if sample.named:
        named = columns.recognise_columns(sample.sources, pinned, sample.cells)
        fields, zone = dict(named.fields), named.zone
        guessed = not set(fields) <= set(pinned)
        _refuse_duplicates(path, sample, fields)
    else:
        fields, zone, guessed = dict(pinned), None, False
        if not _is_complete(fields):
            found = guess_positions([sample.cells[source] for source in sample.sources], container.decimal)
            fields, guessed = {**(found or {}), **pinned}, True
    _refuse_missing(path, sample, fields)
    return fields, zone, guessed


def recognise_kind(path: str, feed: Feed, fields: Mapping[str, str], sample: Sample) -> DataKind:
    """Bars or trades.

    Errors: SourceRejected(wrong_kind) when the feed declares the other one.
    """
    kind = columns.NamedColumns(fields, None).kind or DataKind.BARS
    if feed.data is not None and feed.data is not kind:
        raise SourceRejected(
            f"{path} holds {kind} (columns {', '.join(sample.sources)}) but feed {feed.name} declares "
            f"data: {feed.data}; put the file into a feed of {kind}, or mend `data` in feeds.yaml",
            rule="wrong_kind",
        )
    return kind


def recognise_times(
    path: str, feed: Feed, kind: DataKind, source: str, header_zone: str | None, sample: Sample
) -> TimePlan:
    """Format and zone of the time column.

    Errors: SourceRejected(unreadable_times) when no cell of the sample can be read.
    """
    guessed = []
    aware, time_format = False, feed.source.time_format
    typed = sample.times.get(source)
    if typed is not None:
        time_format, aware = times.ISO, typed is TimeType.AWARE
    if time_format is None:
        found = times.guess_format(_joined(source, sample))
        if found is None:
            shown = ", ".join(repr(cell) for cell in _joined(source, sample)[:3])
            raise SourceRejected(
                f"{path}: the times in column {source} ({shown}) cannot be read; "
                "pin `time_format` (a strptime format, iso or epoch_ms) in feeds.yaml",
                rule="unreadable_times",
            )
        time_format, aware = found.time_format, found.aware
        guessed.append("time_format")
    elif time_format.startswith("epoch_"):
        aware = True
    _check_format(feed, time_format)
    if feed.source.timezone is not None:
        open_zone(feed.source.timezone)
        return TimePlan(time_format, feed.source.timezone, False, tuple(guessed))
    dates_only = kind is DataKind.BARS and not feed.interval.is_intraday
    if aware or dates_only:
        return TimePlan(time_format, None, False, tuple(guessed))
    return TimePlan(time_format, header_zone or "UTC", header_zone is None, (*guessed, "timezone"))


def _check_format(feed: Feed, time_format: str) -> None:
    known = time_format in (times.ISO, *PER_SECOND) or ("%" in time_format and not unknown_tokens(time_format))
    if not known:
        raise SettingsInvalid(
            f"{feed.name}: time_format {time_format!r} cannot be read; give iso, {', '.join(PER_SECOND)} "
            "or a strptime format of %Y %y %m %b %d %H %I %M %S %f %p %z"
        )


def refuse_swapped(path: str, fields: Mapping[str, str], sample: Sample, decimal: str) -> None:
    """Refuse a file in which high is below low in most rows.

    Errors: SourceRejected(swapped_columns).
    """
    for prefix in ("", "bid_", "ask_"):
        if f"{prefix}high" not in fields:
            continue
        high = _values(sample, fields[f"{prefix}high"], decimal)
        low = _values(sample, fields[f"{prefix}low"], decimal)
        both = np.isfinite(high) & np.isfinite(low)
        if both.sum() >= _FEWEST_FOR_SWAP and (high[both] < low[both]).mean() > 0.5:
            raise SourceRejected(
                f"{path}: column {fields[prefix + 'high']} (high) is below {fields[prefix + 'low']} (low) in most "
                "rows; the columns are swapped: pin them under `columns` in feeds.yaml",
                rule="swapped_columns",
            )


def is_integer_volume(fields: Mapping[str, str], sample: Sample) -> bool:
    """Whether at least 98 % of the sample's volumes are written as whole numbers."""
    cells = [cell.strip() for cell in sample.cells.get(fields.get("volume", ""), ()) if cell.strip() not in NULL_TEXTS]
    whole = sum(1 for cell in cells if re.fullmatch(r"[+-]?[0-9]+(?:\.0*)?", cell))
    return bool(cells) and whole >= _INTEGER_SHARE * len(cells)


def column_findings(
    kind: DataKind,
    fields: Mapping[str, str],
    sample: Sample,
    time_plan: TimePlan,
    *,
    columns_guessed: bool,
    header_pinned: bool,
) -> Iterator[tuple[str, str]]:
    """Warnings about what was guessed of the columns: (rule, text)."""
    if not sample.named and columns_guessed and not header_pinned:
        shown = ", ".join(f"{source}: {field}" for field, source in fields.items())
        yield "header_guessed", f"no header; columns guessed as {shown}; pin `columns` or `header: false`"
    if time_plan.assumed and sample.times.get(fields["ts"]) is TimeType.NAIVE:
        yield "naive_timestamp", f"column {fields['ts']} has no zone; taken as UTC; pin `timezone`"
    needed = PRICES if kind is DataKind.BARS else ("price", "size")
    texts = [fields[name] for name in needed if fields.get(name) in sample.text_columns]
    if texts:
        yield "price_as_string", f"{', '.join(texts)} stored as text and read as numbers; store numbers"


def _pinned(path: str, feed: Feed, sample: Sample) -> dict[str, str]:
    pinned = {field: source for source, field in feed.source.columns}
    unknown = sorted(set(pinned) - columns.FIELDS)
    if unknown:
        raise SettingsInvalid(
            f"{feed.name}: columns names unknown fields {', '.join(unknown)}; "
            f"known are {', '.join(sorted(columns.FIELDS))}"
        )
    parts = [part for source in pinned.values() for part in source.split("+")]
    if not sample.named and not all(part.isdecimal() for part in parts):
        # A file without a header: the pinned columns are in the order of the fields.
        return _by_order(feed)
    absent = [part for part in parts if part not in sample.sources]
    if absent:
        raise SourceRejected(
            f"{path} has no column {', '.join(absent)}; it has {', '.join(sample.sources)}: "
            "mend `columns` in feeds.yaml",
            rule="missing_column",
        )
    return pinned


def _by_order(feed: Feed) -> dict[str, str]:
    at, found = 1, {}
    for source, field in feed.source.columns:
        width = len(source.split("+"))
        found[field] = "+".join(str(at + offset) for offset in range(width))
        at += width
    return found


def _is_complete(fields: Mapping[str, str]) -> bool:
    return "ts" in fields and columns.NamedColumns(fields, None).kind is not None


def _refuse_duplicates(path: str, sample: Sample, fields: Mapping[str, str]) -> None:
    twice = columns.needed_duplicates(sample.sources, fields.values())
    if twice:
        raise SourceRejected(
            f"{path} has more than one column {', '.join(twice)}; rename or remove one of each", rule="duplicate_header"
        )


def _refuse_missing(path: str, sample: Sample, fields: Mapping[str, str]) -> None:
    if _is_complete(fields):
        return
    seen = ", ".join(name or "(unnamed)" for name in sample.sources)
    if columns.is_quotes(sample.sources):
        raise SourceRejected(
            f"{path} holds bid and ask quotes (columns {seen}), which are neither bars nor trades; "
            "give bars of bid and ask prices, or trades",
            rule="wrong_kind",
        )
    absent = [name for name in ("ts", *PRICES) if name not in fields]
    raise SourceRejected(
        f"{path}: no column is recognised as {', '.join(absent)}; it has {seen}. Pin them in feeds.yaml, for example "
        f"columns: {{{sample.sources[0] if sample.sources else 'Date'}: ts}}",
        rule="missing_column",
    )


def _joined(source: str, sample: Sample) -> list[str]:
    parts = [sample.cells[part] for part in source.split("+")]
    if len(parts) == 1:
        return list(parts[0])
    arrays = [pa.array(part, pa.string()) for part in parts]
    widest = max((len(cell) for cell in parts[-1] if cell.isdecimal()), default=0)
    padding = "%H%M%S" if widest > 4 else "%H%M" if widest else ""
    return [text or "" for text in join_cells(arrays, padding).to_pylist()]


def _values(sample: Sample, source: str, decimal: str) -> np.ndarray:
    cells: Sequence[str] = sample.cells[source]
    return parse_numbers(pa.array(cells, pa.string()), decimal).values
