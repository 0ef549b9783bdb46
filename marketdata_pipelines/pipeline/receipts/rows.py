"""Base bars as records: the raw row each one is, the rows that lost against it, its trades, and their source text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.validation import MISSING_TS
from marketdata_pipelines.pipeline.receipts.provenance import BarTrades, RowVerdict, SymbolRows
from marketdata_pipelines.pipeline.receipts.records import BaseBar, RawRow, SourceText, TradesProof, Value, Values
from marketdata_pipelines.pipeline.receipts.sources import Row, RowSources
from marketdata_pipelines.stores.lake.catalog import StandingPart

_PLACE = ("row", "line", "rules", "original")


@dataclass(frozen=True, slots=True)
class _Found:
    """A base bar with what competed for it; `ends`: the first, last, highest and lowest trade."""

    partition: str
    values: Values
    verdicts: list[RowVerdict]
    trades: BarTrades | None
    ends: tuple[Row, ...]


def prove_bars(
    bars: Sequence[tuple[str, pa.Table]], rows: Mapping[str, SymbolRows], sources: RowSources, *, patient: bool
) -> tuple[BaseBar, ...]:
    """Records of base bars, given as (partition, its row alone); texts are fetched a source at a time."""
    found = [_found(key, bar, rows[key]) for key, bar in bars]
    texts: dict[int, SourceText] = {}
    for part, wanted in _by_part(found).items():
        texts |= {id(row): text for row, text in zip(wanted, sources.texts(part, wanted, patient=patient), strict=True)}
    return tuple(_base_bar(each, texts) for each in found)


def plain_values(table: pa.Table) -> list[Values]:
    """Rows as plain values; nanosecond times as ISO text, dates as text."""
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            position = table.schema.get_field_index(name)
            table = table.set_column(position, name, _nanosecond_texts(table[name]))
        elif pa.types.is_date(kind):
            table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.string()))
    return list(table.to_pylist())


def _found(key: str, bar: pa.Table, rows: SymbolRows) -> _Found:
    ts_us = int(int_values(bar["ts"])[0])
    verdicts = rows.verdicts(ts_us)
    stands = verdicts[0] if verdicts and verdicts[0].rules is None else None
    trades = rows.trades(ts_us, stands.part) if stands is not None else None
    ends: tuple[Row, ...] = ()
    if trades is not None:
        places = (trades.first, trades.last, trades.high, trades.low)
        ends = tuple(dict(row) for row in plain_values(trades.table.take(pa.array(places))))
    return _Found(key, plain_values(bar)[0], verdicts, trades, ends)


def _by_part(found: Sequence[_Found]) -> dict[StandingPart, list[Row]]:
    wanted: dict[StandingPart, list[Row]] = {}
    for part, row in _rows(found):
        wanted.setdefault(part, []).append(row)
    return wanted


def _rows(found: Sequence[_Found]) -> Iterator[tuple[StandingPart, Row]]:
    for each in found:
        for verdict in each.verdicts:
            yield verdict.part, verdict.row
        for row in each.ends:
            yield each.verdicts[0].part, row


def _base_bar(found: _Found, texts: Mapping[int, SourceText]) -> BaseBar:
    rows = [_raw_row(verdict.part, verdict.row, verdict.rules, texts) for verdict in found.verdicts]
    stands = rows[0] if rows and rows[0].rules is None else None
    trades = None
    if found.trades is not None:
        ends = [_raw_row(found.verdicts[0].part, row, None, texts) for row in found.ends]
        counted, volume_only = len(found.trades.counted), len(found.trades.volume_only)
        good = found.trades.table.num_rows
        trades = TradesProof(good, counted, volume_only, good - counted - volume_only, found.trades.rejected, *ends)
    return BaseBar(found.partition, found.values, stands, tuple(row for row in rows if row is not stands), trades)


def _raw_row(part: StandingPart, row: Row, rules: str | None, texts: Mapping[int, SourceText]) -> RawRow:
    values: dict[str, Value] = {name: value for name, value in row.items() if name not in _PLACE}  # type: ignore[misc]
    return RawRow(
        part.part.part_id, part.ingest.seq, part.ingest.file, _place(row["row"]), _place(row["line"]), rules, values,
        texts[id(row)],
    )  # fmt: skip


def _place(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _nanosecond_texts(column: pa.ChunkedArray) -> pa.Array:
    values = int_values(column, MISSING_TS)
    texts = [f"{text}Z" for text in np.datetime_as_string(values.astype("datetime64[ns]"), unit="ns").tolist()]
    return pa.array(texts, pa.string(), mask=values == MISSING_TS)
