"""The source rows behind findings, in the form in which rejected rows are listed.

What was found is answered by `quality`; rejected rows by `rejections`. Raw parts are read a partition at a time, and
only those that can hold the symbols in question.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.tables import RAW_TRADES, REJECTED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.placement import row_times
from marketdata_pipelines.pipeline.receipts.rows import plain_values
from marketdata_pipelines.pipeline.receipts.sources import RowSources
from marketdata_pipelines.serving.quality import answer_findings
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import is_origin

# What they found lies in rejected rows too: those moved out of the session are part of what is displaced.
_WITH_REJECTED = ("time_shift",)
# They are about everything there was, not about some rows of it.
_WHOLE = ("label_shift", "missing_symbol", "unannounced_revision")
_OF_FILES = ("label_shift",)
# They tell of some bars of a span, not of which.
_SPREAD = ("source_dispute", "daily_differs")
# They found that something is not there: told at the first bar after it, where they give the span of what is missing.
_OF_GAPS = ("long_gap", "incomplete_session", "market_gap")
# A vendor's answers are searched row by row: more than this takes longer than an answer may.
_SEARCHED_ROWS = 200
_REPLACED = ("superseded", "deleted")
Ints = NDArray[np.int64]


def with_found_rows(lake: Lake, feed: Feed, wanted: TimeRange, rejected: pa.Table) -> pa.Table:
    """Rejected rows (REJECTED_SCHEMA) and the rows behind findings; a row that is both has its rules joined.

    Shape:   REJECTED_SCHEMA, in no order. A finding about a span has a row for each of its source rows, one about a gap
             the row after it. One about no row at all has `line` and `row` null, and its sentence as `original`.
    """
    found = _found(lake, feed, wanted)
    if not found:
        return rejected
    at = {}
    for position, (part, row) in enumerate(zip(rejected["part"].to_pylist(), rejected["row"].to_pylist(), strict=True)):
        if row is not None:
            at[part, row] = position
    rules = rejected["rules"].to_pylist()
    for each in found:
        position = at.get((each["part"], each["row"]), -1) if each["row"] is not None else -1
        if position >= 0:
            rules[position] = f"{rules[position]};{each['rules']}"
    more = [each for each in found if each["row"] is None or (each["part"], each["row"]) not in at]
    place = rejected.schema.get_field_index("rules")
    whole = rejected.set_column(place, "rules", pa.array(rules, pa.string()))
    return pa.concat_tables([whole, pa.Table.from_pylist(more, schema=REJECTED_SCHEMA)])


def _found(lake: Lake, feed: Feed, wanted: TimeRange) -> list[dict[str, Any]]:
    """Rows as REJECTED_SCHEMA has them, in order of partition and part."""
    period = period_of(feed.partition)
    by_key: dict[str, list[dict[str, Any]]] = {}
    for finding in answer_findings(lake, feed, _in_dates(wanted)).to_pylist():
        by_key.setdefault(partition_key(finding["session_date"], period), []).append(finding)
    parts: dict[str, list[StandingPart]] = {}
    for part in lake.catalog.standing_parts(feed.name, by_key) if by_key else ():
        parts.setdefault(part.part.partition, []).append(part)
    sources = RowSources(lake, feed)
    rows: list[dict[str, Any]] = []
    for key, findings in by_key.items():
        rows += _PartitionRows(lake, feed, key, parts.get(key, [])).behind(findings, sources)
    return _once_per_file(rows)


def _once_per_file(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is about a file as a whole is told once, not for each symbol-session of it."""
    seen: set[tuple[str, str]] = set()
    found = []
    for row in rows:
        about_file = row["rules"] in _OF_FILES and row["file"] is not None
        if about_file and (row["file"], row["rules"]) in seen:
            continue
        seen.add((row["file"], row["rules"]))
        found.append({**row, "symbol": None, "ts": None} if about_file else row)
    return found


@dataclass(frozen=True, slots=True)
class _Rows:
    """One raw part, sorted by (symbol, ts): `at[i]` is the place in the table of the i-th row."""

    part: StandingPart
    table: pa.Table
    spans: Mapping[str, tuple[int, int]]
    at: Ints
    ts: Ints
    kept: NDArray[np.bool_]
    replaced: NDArray[np.bool_]

    def between(self, symbol: str, first_us: int, last_us: int) -> tuple[int, int]:
        """Sorted places of a symbol's rows with first_us <= ts <= last_us."""
        begin, end = self.spans.get(symbol, (0, 0))
        inside = self.ts[begin:end]
        return begin + int(np.searchsorted(inside, first_us)), begin + int(np.searchsorted(inside, last_us, "right"))


class _PartitionRows:
    """The raw rows of one partition; parts are read when a finding needs them."""

    def __init__(self, lake: Lake, feed: Feed, key: str, parts: Sequence[StandingPart]) -> None:
        self._lake, self._feed, self._key, self._parts = lake, feed, key, parts
        self._read: dict[str, _Rows | None] = {}
        self._lost: dict[str, dict[int, str]] | None = None

    def behind(self, findings: Iterable[Mapping[str, Any]], sources: RowSources) -> Iterator[dict[str, Any]]:
        """The rows behind the findings of this partition, each once, and a row for each finding without any."""
        rules: dict[str, dict[int, list[str]]] = {}
        for finding in findings:
            places = list(self._places(finding))
            for rows, positions in places:
                told = rules.setdefault(rows.part.part.part_id, {})
                for position in positions.tolist():
                    told.setdefault(position, []).append(finding["rule"])
            if not any(len(positions) for _, positions in places):
                yield from self._without_row(finding)
        for part_id, told in rules.items():
            read = self._read[part_id]
            if read is not None:
                yield from _as_rejected(read, told, sources)

    def _places(self, finding: Mapping[str, Any]) -> Iterator[tuple[_Rows, Ints]]:
        """The parts a finding is about, and the places of its rows there."""
        symbol, ts = finding["symbol"], finding["ts"]
        if symbol is None or ts is None or finding["rule"] in _WHOLE:
            return
        first, last = to_us(ts), to_us(finding["ts_last"] or ts)
        if finding["rule"] in _SPREAD and first != last:
            return
        one_row = finding["row"] is not None and first == last
        own = finding["part"] is not None and (one_row or finding["rule"] in _WITH_REJECTED or not finding["standing"])
        for part in self._parts:
            if part.part.part_id != finding["part"] if own else not _may_hold(part, symbol):
                continue
            rows = self._rows(part)
            if rows is None:
                continue
            if finding["rule"] in _OF_GAPS and first != last:
                yield rows, _after_gap(rows, symbol, first, last, self._feed.interval.us)
                continue
            reach = self._feed.interval.us - 1 if part.part.tbl == RAW_TRADES else 0
            begin, end = rows.between(symbol, first, last + reach)
            if finding["rule"] in _WITH_REJECTED:
                yield rows, rows.at[begin:end]
            else:
                counts = (
                    rows.kept[begin:end] if finding["standing"] else rows.replaced[begin:end] | rows.kept[begin:end]
                )
                yield rows, rows.at[begin:end][counts]

    def _without_row(self, finding: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A finding about no row: of its file, else of those with its symbol, else of the only file there is."""
        files = [finding["file"]] if finding["file"] else sorted({part.ingest.file for part in self._holding(finding)})
        for file in files or [None]:
            yield {
                "file": file, "line": None, "row": None, "symbol": finding["symbol"], "ts": finding["ts"],
                "rules": finding["rule"], "original": finding["message"], "part": finding["part"],
            }  # fmt: skip

    def _holding(self, finding: Mapping[str, Any]) -> list[StandingPart]:
        symbol = finding["symbol"]
        if symbol is not None:
            read = ((part, self._rows(part)) for part in self._parts if _may_hold(part, symbol))
            holding = [part for part, rows in read if rows is not None and symbol in rows.spans]
            if holding:
                return holding
        return list(self._parts) if len({part.ingest.file for part in self._parts}) == 1 else []

    def _rows(self, part: StandingPart) -> _Rows | None:
        """A part's rows; None where its file was removed by the feed's retention."""
        name = part.part.part_id
        if name not in self._read:
            try:
                table = self._lake.read_part(self._feed.name, part.part)
            except PartitionMissing:
                self._read[name] = None
            else:
                self._read[name] = _sorted_rows(part, table, self._lost_rows().get(name, {}))
        return self._read[name]

    def _lost_rows(self) -> dict[str, dict[int, str]]:
        """The rules of the partition's rejected rows, by part and row number."""
        if self._lost is None:
            self._lost = {}
            if self._lake.catalog.stored_partition(REJECTED_BARS, self._feed.name, self._key) is not None:
                table = self._lake.read(REJECTED_BARS, self._feed.name, self._key, ["part", "row", "rules"])
                for row in table.to_pylist():
                    self._lost.setdefault(row["part"], {})[row["row"]] = row["rules"]
        return self._lost


def _sorted_rows(part: StandingPart, table: pa.Table, lost: Mapping[int, str]) -> _Rows:
    encoded = table["symbol"].combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    times = row_times(table)
    at = np.lexsort((times, codes))
    starts, ends = (np.searchsorted(codes[at], np.arange(len(names)), side) for side in ("left", "right"))
    numbers = int_values(table["row"])[at]
    rejected = np.isin(numbers, np.fromiter(lost, np.int64, len(lost)))
    gone = [number for number, rules in lost.items() if set(rules.split(";")) <= set(_REPLACED)]
    replaced = np.isin(numbers, np.array(gone, np.int64))
    spans = {name: (int(first), int(last)) for name, first, last in zip(names, starts, ends, strict=True)}
    return _Rows(part, table, spans, at, times[at], ~rejected, replaced)


def _after_gap(rows: _Rows, symbol: str, first_us: int, last_us: int, interval_us: int) -> Ints:
    """The first good row after a gap: after the span where nothing is in it, else after the widest gap inside."""
    begin, end = rows.spans.get(symbol, (0, 0))
    good = begin + np.flatnonzero(rows.kept[begin:end])
    ts = rows.ts[good]
    inside = (ts >= first_us) & (ts <= last_us)
    if not inside.any():
        return rows.at[good[ts > last_us][:1]]
    widths = np.diff(ts[inside])
    if not len(widths) or widths.max() <= interval_us:
        return rows.at[:0]
    return rows.at[good[inside][[int(np.argmax(widths)) + 1]]]


def _as_rejected(rows: _Rows, told: Mapping[int, Sequence[str]], sources: RowSources) -> Iterator[dict[str, Any]]:
    places = sorted(told)
    records = _records(rows.table.take(pa.array(places, pa.int64())))
    searched = is_origin(rows.part.ingest.path) and len(records) > _SEARCHED_ROWS
    texts = [None] * len(records) if searched else [text.text for text in sources.texts(rows.part, records)]
    times = _moments(rows.table, places)
    for place, record, text, moment in zip(places, records, texts, times, strict=True):
        yield {
            "file": rows.part.ingest.file, "line": record["line"], "row": record["row"], "symbol": record["symbol"],
            "ts": moment, "rules": ";".join(dict.fromkeys(told[place])), "original": text or record["original"],
            "part": rows.part.part.part_id,
        }  # fmt: skip


def _records(table: pa.Table) -> list[dict[str, object]]:
    return [dict(values) for values in plain_values(table)]


def _moments(table: pa.Table, places: Sequence[int]) -> list[datetime | None]:
    """The times of some raw rows to the microsecond."""
    ts = table["ts"].take(pa.array(places, pa.int64()))
    return list(pc.cast(ts, pa.timestamp("us", tz="UTC"), safe=False).to_pylist())


def _may_hold(part: StandingPart, symbol: str) -> bool:
    return part.part.symbols is None or symbol in part.part.symbols


def _in_dates(wanted: TimeRange) -> TimeRange:
    """Session dates that hold everything of a range; an instant may lie in the session of the day before or after."""
    start: date | None = wanted.start_date or (wanted.start_ts.date() - timedelta(days=1) if wanted.start_ts else None)
    end: date | None = wanted.end_date or (wanted.end_ts.date() + timedelta(days=1) if wanted.end_ts else None)
    return TimeRange(start, end)
