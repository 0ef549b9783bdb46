"""A vendor's answer, page by page as it came, made into what each asked window holds: cut, finished, each bar once.

Where pages give one (symbol, ts) twice with other values, the one that came last counts: paging shifts while the
vendor's data grow, and the later page is the younger state.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.pipeline.ingest import SourceFile
from marketdata_pipelines.pipeline.windows import Window, finished
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA, HistoricalSource
from marketdata_pipelines.stores.lake.catalog import PulledWindow

logger = logging.getLogger(__name__)
_LONGEST_ORIGINAL = 2_000
_VALUES = ("open", "high", "low", "close", "volume", "vwap")


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """What a vendor said of one window: PULLED_BAR_SCHEMA sorted by (symbol, ts), unique."""

    window: Window
    bars: pa.Table


def gather_answer(
    feed: Feed, pages: Sequence[pa.Table], request: Sequence[Window], received_us: int
) -> list[WindowAnswer]:
    """The bars of each window of a request, whatever the pages were.

    Left out: bars nobody asked for (other symbols, other times) and those not over by `received_us`.
    Errors: SchemaMismatch when a page breaks the promise of PULLED_BAR_SCHEMA.
    """
    bars = pa.concat_tables([PULLED_BAR_SCHEMA.empty_table(), *map(_checked, pages)]).combine_chunks()
    bars = _once(bars.filter(pc.is_in(bars["symbol"], value_set=pa.array(feed.source.symbols, pa.string()))))
    ts = int_values(bars["ts"])
    over = finished(feed, ts, received_us)
    answers = []
    for window in request:
        inside = (ts >= window.start_us) & (ts < window.end_us)
        open_still = int((inside & ~over).sum())
        if open_still:
            logger.info("%s %s: %d bars were not over yet and are left out", feed.name, window.partition, open_still)
        answers.append(WindowAnswer(window, bars.filter(pa.array(inside & over))))
    return answers


def window_source(feed: Feed, answer: WindowAnswer, source: HistoricalSource) -> SourceFile:
    """A window's answer as a content to take in; its path, the answer's origin, is not known yet."""
    window = answer.window
    asked = PulledWindow(
        partition=window.partition,
        provider=source.provider,
        start_us=window.start_us,
        end_us=window.end_us,
        symbols=tuple(sorted(feed.source.symbols)),
        complete=source.complete,
        settled=window.settled,
    )
    content = hashlib.sha256()
    size = 0
    for piece in _canonical(answer.bars, asked):
        content.update(len(piece).to_bytes(8, "little") + piece)
        size += len(piece)
    name = f"{feed.name}-{window.partition}"
    return SourceFile(name, "", content.hexdigest(), size, _AnswerRead(answer.bars), asked)


def _checked(page: pa.Table) -> pa.Table:
    if page.schema != PULLED_BAR_SCHEMA:
        raise SchemaMismatch(f"a vendor's page has {page.schema.names}, not the columns of PULLED_BAR_SCHEMA")
    if page["symbol"].null_count or page["ts"].null_count:
        raise SchemaMismatch("a vendor's page has bars without symbol or time; its parser must not let them through")
    return page


def _once(bars: pa.Table) -> pa.Table:
    codes, _ = symbol_codes(bars["symbol"])
    ts = int_values(bars["ts"])
    order = np.lexsort((ts, codes))
    last = np.ones(len(order), bool)
    # A stable sort: of equal keys the last one came last.
    last[:-1] = (codes[order][1:] != codes[order][:-1]) | (ts[order][1:] != ts[order][:-1])
    return bars.take(pa.array(order[last]))


def _canonical(bars: pa.Table, asked: PulledWindow) -> Iterable[bytes]:
    """What makes an answer this one: the bars' values and what was asked."""
    for name in ("provider", "partition", "start_us", "end_us", "complete", "settled"):
        yield str(getattr(asked, name)).encode()
    yield "\n".join(asked.symbols).encode()
    yield "\n".join(bars["symbol"].to_pylist()).encode()
    yield int_values(bars["ts"]).astype("<i8").tobytes()
    for name in _VALUES:
        yield bars[name].is_null().to_numpy().tobytes()
        yield np.nan_to_num(float_values(bars[name]), nan=0.0).astype("<f8").tobytes()
    yield int_values(bars["trade_count"]).astype("<i8").tobytes()


@dataclass(frozen=True, slots=True)
class _AnswerRead:
    bars: pa.Table

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        return [_AnswerChunk(self.bars)], ()


@dataclass(frozen=True, slots=True)
class _AnswerChunk:
    """An answer's bars as parsed rows; a row's place is its number in the answer, it has no line."""

    bars: pa.Table
    kind: DataKind = DataKind.BARS

    @property
    def table(self) -> pa.Table:
        count = self.bars.num_rows
        placed = self.bars.drop_columns(["original"])
        placed = placed.append_column("row", pa.array(np.arange(1, count + 1)))
        placed = placed.append_column("line", pa.nulls(count, pa.int64()))
        placed = placed.append_column("rules", pa.nulls(count, pa.string()))
        return placed.select([field.name for field in RAW_BAR_SCHEMA if field.name != "original"])

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        texts = self.bars["original"].take(pa.array(positions)).to_pylist()
        return [(text or "")[:_LONGEST_ORIGINAL] for text in texts]
