"""Files that were refused because high and low have changed places, read again the other way round.

A file that is not there any more, or not the same, is advice only: how to take it in once it is back.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.repairs.records import REPAIR_ROW_SCHEMA, Repair, RepairKind
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.domain.validation import bar_mask, resolve_duplicates
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.parsing import stage_file
from marketdata_pipelines.sources.files import recognised, sampling
from marketdata_pipelines.stores.lake.catalog import Ingest
from marketdata_pipelines.stores.lake.lake import Lake

_SWAPPED = "swapped_columns"
_OTHER = {"high": "low", "low": "high", "bid_high": "bid_low", "bid_low": "bid_high", "ask_high": "ask_low",
          "ask_low": "ask_high"}  # fmt: skip


def swapped_files(lake: Lake, feed: Feed) -> Iterator[Repair]:
    """A proposal for each partition of each such file that is refused still; one partition is in memory at a time.

    Confidence: the share of the file's rows in the partition that are good bars then.
    """
    newest = {ingest.sha256: ingest for ingest in lake.catalog.ingests(feed.name)}
    for ingest in newest.values():
        if ingest.rule == _SWAPPED:
            try:
                yield from _read_again(lake, feed, ingest)
            except (MarketDataError, OSError) as error:
                yield _advice(feed, ingest, str(error))


def _read_again(lake: Lake, feed: Feed, ingest: Ingest) -> Iterator[Repair]:
    if "://" not in ingest.path and not os.path.exists(ingest.path):
        raise FileNotFoundError(f"{ingest.path} is not there any more")
    turned = _turned(feed, ingest.path)
    source = file_source(turned, ingest.path)
    if source.sha256 != ingest.sha256:
        raise OSError(f"{ingest.path} has another content today")
    with TemporaryDirectory() as folder:
        staged = stage_file(turned, ingest.file, source.read, ingest.known_at_us, Path(folder), spill=False)
        if staged.staging is None:
            raise staged.refusal or OSError(ingest.path)
        for key in staged.staging.partitions():
            repair = _repair(lake, feed, ingest, key, staged.staging.rows_of(key))
            if repair is not None:
                yield repair


def _turned(feed: Feed, path: str) -> Feed:
    """The feed with every column of a file pinned, high and low the other way round."""
    container, sample = sampling.sample_file(path, feed.source)
    fields, *_ = recognised.recognise_fields(path, feed, container, sample)
    columns = tuple((source, _OTHER.get(name, name)) for name, source in fields.items())
    return replace(feed, source=replace(feed.source, columns=columns))


def _repair(lake: Lake, feed: Feed, ingest: Ingest, key: str, rows: pa.Table) -> Repair | None:
    if not set(PRICES) <= set(rows.column_names):
        return None
    mask, _ = bar_mask(rows, feed, CoarseBars(lake, feed).grid(key), ingest.known_at_us)
    order = resolve_duplicates(rows, mask, np.zeros(rows.num_rows, np.int64)).order
    if not len(order):
        return None
    found = rows.take(pa.array(order))
    ts = int_values(found["ts"])
    share = len(order) / rows.num_rows
    text = f"{ingest.file} read with high and low exchanged: {len(order)} of {rows.num_rows} rows are good bars then"
    return Repair(
        feed=feed.name,
        kind=RepairKind.COLUMNS_SWAPPED,
        partition=key,
        symbols=tuple(sorted(pc.unique(found["symbol"]).to_pylist())),
        session=date.fromisoformat(key) if period_of(feed.partition) is Period.DAY else None,
        first_us=int(ts.min()),
        last_us=int(ts.max()),
        rows=_table(ingest, found),
        replaces=False,
        confidence=share * (1 - 0.5 ** (len(order) // 10 + 1)),
        evidence=f"{text}; for all files of this source exchange them under source.columns in feeds.yaml",
        rule=_SWAPPED,
    )


def _table(ingest: Ingest, rows: pa.Table) -> pa.Table:
    count = rows.num_rows
    was = pc.binary_join_element_wise(
        "high ", rows["low"].cast(pa.string()), " low ", rows["high"].cast(pa.string()), ""
    )
    columns = {
        **{name: rows[name] for name in ("symbol", "ts", *VALUES, "line", "row")},
        "file": pa.repeat(pa.scalar(ingest.file), count),
        "part": pa.nulls(count, pa.string()),
        "was": was,
    }
    return pa.table({name: columns[name] for name in REPAIR_ROW_SCHEMA.names}).cast(REPAIR_ROW_SCHEMA).combine_chunks()


def _advice(feed: Feed, ingest: Ingest, why: str) -> Repair:
    advice = (
        "exchange its columns high and low under source.columns in feeds.yaml and run: "
        f"marketdata ingest {feed.name} {ingest.path}"
    )
    return Repair(
        feed.name, RepairKind.COLUMNS_SWAPPED, date_of_us(ingest.known_at_us).isoformat(), (ingest.file,), None,
        ingest.known_at_us, ingest.known_at_us, REPAIR_ROW_SCHEMA.empty_table(), False, 1.0,
        f"{ingest.file} was refused: its columns high and low are exchanged; {why}; {advice}", _SWAPPED, advice,
    )  # fmt: skip
