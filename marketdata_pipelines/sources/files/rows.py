"""Turning cells into tables of raw bars or trades, with the rules each row breaks as written.

Rules about values (high below low, closed exchange, duplicates) are not judged here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import PRICES, RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.rules import mask_to_rules, rule_bit
from marketdata_pipelines.sources.files.arrays import Column, is_null, take_rows
from marketdata_pipelines.sources.files.cells import Cells
from marketdata_pipelines.sources.files.chunks import SourcedChunk
from marketdata_pipelines.sources.files.columns import SIDES
from marketdata_pipelines.sources.files.heldrows import HeldRows
from marketdata_pipelines.sources.files.numbers import as_text, not_integer_text, parse_numbers
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.symbols import SymbolJudge, symbol_rules
from marketdata_pipelines.sources.files.timestamps import (
    Instants,
    TimeReading,
    join_cells,
    read_instants,
    time_reading,
    to_timestamps,
)
from marketdata_pipelines.sources.parsed import Chunk, TableChunk

BAR_TABLE = pa.schema([column for column in RAW_BAR_SCHEMA if column.name != "original"])
TRADE_TABLE = pa.schema([column for column in RAW_TRADE_SCHEMA if column.name != "original"])
# The letter case of a file's symbols is learnt from this many rows, whatever the chunk size.
_LEARNT_ROWS = 1000
_LONGEST_KEPT_SYMBOL = 64
# Beyond this a volume is judged by its size, not by how it is written.
_LARGEST_JUDGED_VOLUME = 1e15


@dataclass(frozen=True, slots=True)
class _Codes:
    """Symbols by code: `names[code]`, None for a missing one; `rules[code]` its rule bits."""

    codes: np.ndarray
    names: list[str | None]
    rules: np.ndarray


class RowReader:
    """Turns the cells of ONE file into chunks; rows of repeated local hours come last.

    `rows` counts data rows, `readable_times` those whose time could be read.
    """

    def __init__(self, feed: Feed, plan: FilePlan) -> None:
        self.rows = 0
        self.readable_times = 0
        self._feed = feed
        self._plan = plan
        self._judge: SymbolJudge | None = None
        self._held: dict[str | None, HeldRows] = {}
        self._reading: TimeReading = time_reading(
            feed,
            time_format=plan.time_format,
            zone=plan.timezone,
            label=plan.label,
            trades=plan.kind is DataKind.TRADES,
        )

    def chunks(self, cells: Cells) -> Iterator[Chunk]:
        """The tables of these rows: one, or one each for bid and ask."""
        if not len(cells):
            return
        self.rows += len(cells)
        symbols = self._symbols(cells)
        times = join_cells(list(cells.times), self._reading.time_format) if len(cells.times) > 1 else cells.times[0]
        instants = read_instants(times, self._reading, symbols.codes)
        self.readable_times += int((instants.known | instants.repeated).sum())
        self.readable_times += int((instants.rules & rule_bit("local_time_nonexistent") != 0).sum())
        broken = cells.rules != 0
        shared = cells.rules | np.where(broken, 0, symbols.rules[symbols.codes] | instants.rules)
        held = np.flatnonzero(instants.repeated & ~broken)
        for side in (None,) if "bid_open" not in cells.columns else SIDES:
            rules = shared.copy()
            columns = self._values(cells, side, rules, broken)
            table = self._table(cells, columns, symbols, instants, rules, side)
            yield from self._emit(cells, table, instants, held, side)

    def finish(self) -> Iterator[Chunk]:
        """The rows kept back, decided as far as the file's order decides them."""
        for held in self._held.values():
            chunk = held.decide(self._plan.kind, self._reading, self._feed.interval.us)
            if chunk is not None:
                yield chunk

    def _emit(
        self, cells: Cells, table: pa.Table, instants: Instants, held: np.ndarray, side: str | None
    ) -> Iterator[Chunk]:
        kind = self._plan.kind
        texts = cells.texts or TableChunk(kind, table).originals
        if not len(held):
            places = np.arange(len(cells))
            yield TableChunk(kind, table) if cells.texts is None else SourcedChunk(kind, table, places, cells.texts)
            return
        self._held.setdefault(side, HeldRows()).add(table, instants, held, list(texts(held)))
        others = np.setdiff1d(np.arange(len(cells)), held)
        if len(others):
            yield SourcedChunk(kind, table.take(pa.array(others)), others, lambda places: list(texts(places)))

    def _symbols(self, cells: Cells) -> _Codes:
        column = cells.columns.get("symbol")
        if column is None:
            names: list[str | None] = [self._plan.symbol]
            return _Codes(np.zeros(len(cells), np.int64), names, np.zeros(1, np.int64))
        encoded: Any = column if pa.types.is_dictionary(column.type) else as_text(column).dictionary_encode()
        texts = [text if text is not None else "" for text in encoded.dictionary.cast(pa.string()).to_pylist()]
        texts.append("")
        codes = encoded.indices.cast(pa.int64()).fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
        if self._judge is None:
            self._judge = SymbolJudge(self._feed.source.symbols, self._feed.asset_class)
            first = codes[cells.rules == 0][:_LEARNT_ROWS]
            self._judge.learn(texts[code] for code in first.tolist())
        # In the order of their first row: what is usual in the file must not depend on how chunks fall.
        broken_rules = symbol_rules(self._judge, texts)
        bits = np.array([rule_bit(broken_rules[text]) if text in broken_rules else 0 for text in texts], np.int64)
        missing = rule_bit("symbol_missing")
        names = [
            None if bit == missing else self._judge.name(text)[:_LONGEST_KEPT_SYMBOL]
            for text, bit in zip(texts, bits.tolist(), strict=True)
        ]
        return _Codes(codes, names, bits)

    def _values(
        self, cells: Cells, side: str | None, rules: np.ndarray, broken: np.ndarray
    ) -> dict[str, Column | None]:
        """The numeric and text columns of one side; adds what cannot be read to `rules`."""
        prefix = "" if side is None else f"{side}_"
        found: dict[str, Column | None] = {}
        wanted = PRICES if self._plan.kind is DataKind.BARS else ("price",)
        for name in wanted:
            parsed = parse_numbers(cells.columns[prefix + name], self._plan.decimal)
            _flag(rules, parsed.missing & ~broken, "missing_price")
            _flag(rules, parsed.bad & ~broken, "unparsable_price")
            found[name] = _nullable(parsed.values, parsed.missing | parsed.bad)
        volume = "volume" if self._plan.kind is DataKind.BARS else "size"
        found[volume] = self._volume(cells.columns.get(prefix + volume), rules, broken)
        for name in ("vwap", "trade_count"):
            column = cells.columns.get(name) if side is None else None
            if column is not None:
                parsed = parse_numbers(column, self._plan.decimal)
                _flag(rules, parsed.bad & ~broken, "unparsable_field")
                found[name] = _nullable(parsed.values, parsed.missing | parsed.bad | np.isnan(parsed.values))
        counts = found.get("trade_count")
        if counts is not None:
            found["trade_count"] = self._counts(counts, rules)
        for name in ("exchange", "conditions"):
            column = cells.columns.get(name)
            if column is not None:
                found[name] = as_text(column)
        return found

    def _volume(self, column: Column | None, rules: np.ndarray, broken: np.ndarray) -> Column | None:
        if column is None:
            return None
        parsed = parse_numbers(column, self._plan.decimal)
        _flag(rules, parsed.bad & ~broken, "unparsable_volume")
        if self._plan.integer_volume and not pa.types.is_integer(column.type):
            if pa.types.is_string(column.type):
                odd = not_integer_text(column)
            else:
                odd = parsed.values != np.floor(parsed.values)
            odd &= ~parsed.missing & ~parsed.bad & ~broken & (np.abs(parsed.values) < _LARGEST_JUDGED_VOLUME)
            _flag(rules, odd, "volume_format")
        return _nullable(parsed.values, parsed.missing | parsed.bad)

    def _counts(self, column: Column, rules: np.ndarray) -> Column:
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        odd = (np.abs(values) > 2**53) | (values != np.floor(values))
        _flag(rules, odd, "unparsable_field")
        missing = is_null(column) | odd
        return pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)

    def _table(
        self,
        cells: Cells,
        columns: dict[str, Column | None],
        symbols: _Codes,
        instants: Instants,
        rules: np.ndarray,
        side: str | None,
    ) -> pa.Table:
        suffix = "" if side is None else f".{side.upper()}"
        names = [None if name is None else name + suffix for name in symbols.names]
        schema = BAR_TABLE if self._plan.kind is DataKind.BARS else TRADE_TABLE
        arrays: dict[str, Column] = {
            **{name: column for name, column in columns.items() if column is not None},
            "row": pa.array(cells.rows),
            "symbol": take_rows(pa.array(names, pa.string()), symbols.codes),
            "ts": to_timestamps(instants.values, instants.known, self._reading),
            "rules": rule_texts(rules),
        }
        if cells.lines is not None:
            arrays["line"] = pa.array(cells.lines)
        filled = [arrays.get(column.name, pa.nulls(len(cells), column.type)) for column in schema]
        return pa.Table.from_arrays(filled, schema=schema)


def rule_texts(rules: np.ndarray) -> Column:
    """`;`-separated rule ids of each mask; null where no rule is broken."""
    if not rules.any():
        return pa.nulls(len(rules), pa.string())
    masks, codes = np.unique(rules, return_inverse=True)
    return take_rows(pa.array([mask_to_rules(mask) or None for mask in masks.tolist()], pa.string()), codes)


def _flag(rules: np.ndarray, where: np.ndarray, rule: str) -> None:
    if where.any():
        rules[where] |= rule_bit(rule)


def _nullable(values: np.ndarray, missing: np.ndarray) -> Column:
    return pa.array(values, pa.float64(), mask=missing if missing.any() else None, from_pandas=False)
