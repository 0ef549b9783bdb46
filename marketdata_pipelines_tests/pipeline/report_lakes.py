"""Lakes with scored sessions, findings and rejected rows as a quality report reads them; nothing here asserts.

Prices walk at random from a seed; what is wrong with them is put in, and the tables say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA, RAW_BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import symbol_column, timestamps
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.quality.records import (
    FINDING_SCHEMA,
    PROFILE_SCHEMA,
    QUALITY_FINDINGS,
    QUALITY_SCORES,
    QUALITY_VERDICTS,
    SCORE_SCHEMA,
    SYMBOL_PROFILES,
    VERDICT_SCHEMA,
    Dimension,
)
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import EPOCH, Session
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import source_of, take_in, walk_stale

Row = dict[str, Any]
_GRADES = ((90.0, "A", "Excellent"), (70.0, "B", "Good"), (50.0, "C", "Fair"), (30.0, "D", "Poor"))
_POINTS = {"block": 45.0, "warn": 8.0}


@dataclass
class SessionRows:
    """What a session of the lake holds beside its bars."""

    session: Session
    findings: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    blocked: str | None = None


def sessions_of(feed: Feed, start: date, count: int) -> list[SessionRows]:
    """The first sessions of a feed from a date on, with nothing wrong."""
    return [SessionRows(each) for each in feed_calendar(feed).sessions(start, start + timedelta(days=2 * count + 10))][
        :count
    ]


def names_of(count: int) -> list[str]:
    """Symbols such as `BAKE`, sorted, all different."""
    first, second, third = "BCDFGHKLMNPRST", "AEIOU", "KLMNRSTX"
    every = [a + b + c + d for a in first for b in second for c in third for d in second]
    return sorted(every[at * len(every) // count] for at in range(count))


def finding(rule: str, session: Session, symbol: str | None, minute: int | None, bars: int = 1, **changes: Any) -> Row:
    """A finding `minute` minutes after the open (None: on the session as a whole)."""
    known = QUALITY_RULE_BY_ID[rule]
    ts = None if minute is None else session.open + minute * MINUTE_US
    row: Row = {
        "rule": rule, "dimension": known.dimension.value, "severity": known.severity.value, "symbol": symbol,
        "session_date": session.date, "ts": ts, "bars": bars,
        "ts_last": None if ts is None else ts + (bars - 1) * MINUTE_US,
        "value": None, "limit": None, "message": known.text, "file": None, "line": None, "row": None, "part": None,
        "standing": True,
    }  # fmt: skip
    return row | changes


def rejected_row(rules: str, original: str | None, **changes: Any) -> Row:
    """A rejected row of `ticks.csv`."""
    row: Row = {
        "file": "ticks.csv",
        "line": 7,
        "row": 6,
        "symbol": None,
        "ts": None,
        "rules": rules,
        "original": original,
    }
    return row | {"part": "part"} | changes


def walk_prices(rng: np.random.Generator, symbols: int, minutes: int, start: np.ndarray) -> dict[str, np.ndarray]:
    """Bars of a session, a row a symbol: prices that walk, volumes that are larger at the ends of the day."""
    close = start[:, None] * np.exp(np.cumsum(rng.normal(0, 4e-4, (symbols, minutes)), axis=1))
    opens = np.concatenate([start[:, None], close[:, :-1]], axis=1)
    reach = np.abs(rng.normal(0, 2.5e-4, (2, symbols, minutes)))
    shape = 1.0 + 2.0 * (2.0 * np.arange(minutes) / minutes - 1.0) ** 2
    volume = np.rint(rng.lognormal(5.5, 0.6, (symbols, minutes)) * shape)
    high, low = np.maximum(opens, close) * (1 + reach[0]), np.minimum(opens, close) * (1 - reach[1])
    prices = {"open": opens, "high": high, "low": low, "close": close}
    return {name: np.round(values, 2) for name, values in prices.items()} | {"volume": volume}


def fill_lake(
    lake: Lake, feed: Feed, symbols: Sequence[str], sessions: Sequence[SessionRows], *, seed: int = 1
) -> dict[date, dict[str, np.ndarray]]:
    """Store all tables of these sessions of minutes; returns each session's bars."""
    rng = np.random.default_rng(seed)
    prices = np.round(rng.uniform(20, 300, len(symbols)), 2)
    found = {}
    for item in sessions:
        bars = walk_prices(rng, len(symbols), item.session.minutes, prices)
        prices = bars["close"][:, -1]
        kept = break_bars(bars, symbols, item)
        store_session(lake, feed, symbols, item, bars, kept)
        found[item.session.date] = bars
    return found


def walk_lake(
    lake: Lake, feed: Feed, symbols: Sequence[str], sessions: Sequence[SessionRows], *, seed: int = 1
) -> None:
    """Take the same minutes in as files, a session each, with a few rows of high below low; walk and judge them.

    What is found is up to the code: of `sessions` only the faults of the bars count, and those that are blocked, whose
    prices are all below zero.
    """
    rng = np.random.default_rng(seed)
    prices = np.round(rng.uniform(20, 300, len(symbols)), 2)
    for item in sessions:
        bars = walk_prices(rng, len(symbols), item.session.minutes, prices)
        prices = bars["close"][:, -1].copy()
        kept = break_bars(bars, symbols, item)
        rows = raw_rows(symbols, item, bars, kept, rng.random(int(kept.sum())) < 5e-4)
        source = source_of(f"us_{item.session.date}.csv", rows)
        take_in(lake, feed, source, known_at=item.session.close + 60 * MINUTE_US)
    walk_stale(lake, feed)
    keys = [item.session.date.isoformat() for item in sessions]
    PartitionJudge(lake, feed).judge(keys, at_us=sessions[-1].session.close + 90 * MINUTE_US)


def raw_rows(
    symbols: Sequence[str], item: SessionRows, bars: Mapping[str, np.ndarray], kept: np.ndarray, turned: np.ndarray
) -> pa.Table:
    """The bars as rows of a file; `turned` ones have high and low the wrong way round."""
    codes, minutes = np.nonzero(kept)
    count = len(codes)
    sign = 1.0 if item.blocked is None else -1.0
    values = {name: np.round(each[kept], 2) * (1.0 if name == "volume" else sign) for name, each in bars.items()}
    high, low = values["high"], values["low"]
    values |= {"high": np.where(turned, low - 0.01, high), "low": np.where(turned, high, low)}
    columns: dict[str, Any] = {
        "row": np.arange(1, count + 1),
        "line": np.arange(2, count + 2),
        "symbol": pa.array(symbols).take(pa.array(codes)),
        "ts": timestamps(item.session.open + minutes.astype(np.int64) * MINUTE_US),
        **values,
    }
    empty = {each.name: pa.nulls(count, each.type) for each in RAW_BAR_SCHEMA if each.name not in columns}
    return pa.table({name: (columns | empty)[name] for name in RAW_BAR_SCHEMA.names}, schema=RAW_BAR_SCHEMA)


def break_bars(bars: dict[str, np.ndarray], symbols: Sequence[str], item: SessionRows) -> np.ndarray:
    """Put into the bars what the session's findings say, and tell which bars are there."""
    kept = np.ones(bars["close"].shape, bool)
    for each in item.findings:
        if each["symbol"] not in symbols or each["ts"] is None:
            continue
        at = symbols.index(each["symbol"])
        first = (each["ts"] - item.session.open) // MINUTE_US
        stretch = slice(first, first + each["bars"])
        if each["rule"] in ("long_gap", "market_gap"):
            kept[at, stretch] = False
        elif each["rule"] == "price_spike":
            for name in ("open", "high", "low", "close"):
                bars[name][at, stretch] *= 1.35
        elif each["rule"] == "bad_wick":
            bars["low"][at, stretch] *= 0.9
        elif each["rule"] == "stale_run":
            for name in ("open", "high", "low", "close"):
                bars[name][at, stretch] = bars["close"][at, first - 1]
            bars["volume"][at, stretch] = 0
        elif each["rule"] == "volume_spike":
            bars["volume"][at, stretch] *= 60
    return kept


def store_session(
    lake: Lake, feed: Feed, symbols: Sequence[str], item: SessionRows, bars: Mapping[str, np.ndarray], kept: np.ndarray
) -> None:
    """Store what a walk and a judging of one session would; nothing but verdicts where it is blocked."""
    key = item.session.date.isoformat()
    scores = score_rows(symbols, item, kept.sum(axis=1), kept.shape[1])
    tables = {
        SYMBOL_PROFILES: profile_table(symbols, item.session, kept),
        QUALITY_SCORES: pa.Table.from_pylist(scores, schema=SCORE_SCHEMA),
        QUALITY_FINDINGS: pa.Table.from_pylist(item.findings, schema=FINDING_SCHEMA),
        REJECTED_BARS: pa.Table.from_pylist(item.rejected, schema=REJECTED_SCHEMA),
    }
    if item.blocked is None:
        tables[VALIDATED_BARS] = valid_bars(symbols, item.session, bars, kept)
    else:
        verdict = {"rule": "rows_conserved", "dimension": "completeness", "severity": "block", "message": item.blocked}
        tables[QUALITY_VERDICTS] = pa.Table.from_pylist([verdict], schema=VERDICT_SCHEMA)
    lake.store(feed.name, [TableWrite(name, key, table, key) for name, table in tables.items()], {})


def valid_bars(symbols: Sequence[str], session: Session, bars: Mapping[str, np.ndarray], kept: np.ndarray) -> pa.Table:
    """The bars that are there as BAR_SCHEMA."""
    codes, minutes = np.nonzero(kept)
    ts = session.open + minutes.astype(np.int64) * MINUTE_US
    day = np.full(len(ts), (session.date - EPOCH).days, np.int32)
    columns = {
        "symbol": symbol_column(codes.astype(np.int32), list(symbols)),
        "ts": timestamps(ts),
        "ts_close": timestamps(ts + MINUTE_US),
        "session_date": pa.array(day).view(pa.date32()),
        **{name: pa.array(np.round(values[kept], 2).astype(np.float64)) for name, values in bars.items()},
        "vwap": pa.nulls(len(ts), pa.float64()),
        "trade_count": pa.nulls(len(ts), pa.int64()),
        "regular": pa.array(np.ones(len(ts), bool)),
    }
    return pa.table({name: columns[name] for name in BAR_SCHEMA.names}, schema=BAR_SCHEMA)


def profile_table(symbols: Sequence[str], session: Session, kept: np.ndarray) -> pa.Table:
    """Profiles with what a report reads of them."""
    rows = [
        {"symbol": symbol, "session_date": session.date, "expected": kept.shape[1], "bars": int(bars)}
        for symbol, bars in zip(symbols, kept.sum(axis=1), strict=True)
        if bars
    ]
    return pa.Table.from_pylist(rows, schema=PROFILE_SCHEMA)


def score_rows(symbols: Sequence[str], item: SessionRows, bars: np.ndarray, expected: int) -> list[Row]:
    """A score a symbol, and one of the session: points off for findings, missing bars and rejected rows."""
    rows = [_score_row(symbol, item, int(count), expected) for symbol, count in zip(symbols, bars, strict=True)]
    total = _score_row(None, item, int(bars.sum()), expected * len(symbols))
    for name in (*map(str, Dimension), "score"):
        total[name] = float(np.mean([row[name] for row in rows]))
    total["score"] = min(total["score"], 29.0) if item.blocked else total["score"]
    return [total | _graded(total["score"]), *rows]


def _score_row(symbol: str | None, item: SessionRows, bars: int, expected: int) -> Row:
    findings = [each for each in item.findings if symbol is None or each["symbol"] == symbol]
    rejected = len([each for each in item.rejected if symbol is None or each["symbol"] == symbol])
    row: Row = {"symbol": symbol, "session_date": item.session.date, "bars": bars, "expected": expected}
    for dimension in Dimension:
        off = sum(_POINTS[each["severity"]] * 4 for each in findings if each["dimension"] == dimension.value)
        row[str(dimension)] = max(100.0 - off, 0.0)
    row["completeness"] = min(row["completeness"], 100.0 * bars / expected)
    dimensions = [row[str(dimension)] for dimension in Dimension]
    # One ruined dimension ruins the score.
    score = min(float(np.mean(dimensions)), 40.0 + 0.6 * min(dimensions))
    counts = {"raw_rows": bars + rejected, "rejected_rows": rejected, "findings": len(findings)}
    return row | counts | {"score": score, "blocked": item.blocked is not None} | _graded(score)


def _graded(score: float) -> Row:
    grade, level = next(((grade, level) for least, grade, level in _GRADES if score >= least), ("F", "Unacceptable"))
    return {"grade": grade, "quality": level}
