"""Row rules over parsed rows, and which of several rows for one (symbol, ts) stands.

Everything is a pure function of the rows, the feed, its sessions and when the rows became known. The rules'
ids and meanings are in `rules`; what a parser could not read arrives already marked in the `rules` column.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import AssetClass, Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.labels import label_ends
from marketdata_pipelines.domain.rules import rule_bit, rules_to_mask
from marketdata_pipelines.domain.session_grid import Ints, Placement, SessionGrid

# The largest volume one bar can hold without being a data error. Whole-unit markets: far above any day on
# record (a few 1e10 shares); elsewhere the limit is where float64 stops counting single units.
_WHOLE_UNIT_LIMIT = 1e12
_EXACT_LIMIT = float(2**53)
_WHOLE_UNIT_CLASSES = (AssetClass.EQUITY, AssetClass.ETF, AssetClass.OPTION, AssetClass.FUTURE)
# A vwap computed by the vendor may leave [low, high] by a rounding of its last digits.
_VWAP_SLACK = 1e-6
_NEEDED = (("symbol_missing", "symbol"), ("unparsable_timestamp", "ts"))
MISSING_TS = -(2**63)


def parser_mask(raw: pa.Table) -> Ints:
    """The rules the parser already marked, one 64-bit mask a row."""
    encoded = raw["rules"].combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    masks = np.array([rules_to_mask(text) for text in encoded.dictionary.to_pylist()] + [0], np.int64)
    return masks[encoded.indices.fill_null(len(masks) - 1).to_numpy(zero_copy_only=False)]


def bar_mask(raw: pa.Table, feed: Feed, grid: SessionGrid, known_at_us: int) -> tuple[Ints, Placement]:
    """Evaluate every row rule but duplicates over RAW_BAR_SCHEMA rows.

    Shape:   N rows in any order; returns N masks (0 = the row is good) and where each row belongs.
    Clock:   `known_at_us` is when these rows became known: later opens are `future`, later ends `unfinished`.
    """
    mask = parser_mask(raw)
    unread = mask != 0
    _flag(mask, _identity_rules(raw), unread)
    _flag(mask, _price_rules(raw, feed), unread)
    _flag(mask, _volume_rules(raw, feed), unread)
    ts = int_values(raw["ts"], MISSING_TS)
    placement = grid.place(ts)
    # A row whose time could not be read breaks no rule about time.
    readable = ts != MISSING_TS
    _flag(mask, _time_rules(ts, placement, feed, grid, known_at_us), ~readable | unread)
    return mask, placement


def trade_mask(raw: pa.Table, feed: Feed, grid: SessionGrid, known_at_us: int) -> tuple[Ints, Placement]:
    """Evaluate the row rules over RAW_TRADE_SCHEMA rows; a trade of size 0 is valid."""
    mask = parser_mask(raw)
    unread = mask != 0
    price, size = float_values(raw["price"]), float_values(raw["size"])
    finite = np.isfinite(price)
    rules = [("price_not_finite", ~finite), ("volume_not_finite", np.isinf(size))]
    rules += _identity_rules(raw)
    if not feed.allow_nonpositive_prices:
        rules.append(("price_not_positive", finite & ~(price > 0)))
    rules += [("volume_negative", size < 0), ("volume_out_of_range", np.isfinite(size) & (size >= _volume_limit(feed)))]
    _flag(mask, rules, unread)
    ns = int_values(raw["ts"], MISSING_TS)
    readable = ns != MISSING_TS
    ts = np.where(readable, ns // 1000, MISSING_TS)
    placement = grid.place(ts)
    future = ts >= known_at_us
    _flag(mask, [("future", future), ("out_of_session", (placement.session < 0) & ~future)], ~readable | unread)
    return mask, placement


def _identity_rules(raw: pa.Table) -> list[tuple[str, NDArray[np.bool_]]]:
    # A parser that knows no better than null: such a row can be nobody's bar.
    return [(rule, raw[name].is_null().to_numpy()) for rule, name in _NEEDED if raw[name].null_count]


def _price_rules(raw: pa.Table, feed: Feed) -> list[tuple[str, NDArray[np.bool_]]]:
    opens, high, low, close = (float_values(raw[name]) for name in ("open", "high", "low", "close"))
    finite = np.isfinite(opens) & np.isfinite(high) & np.isfinite(low) & np.isfinite(close)
    positive = (opens > 0) & (high > 0) & (low > 0) & (close > 0) | feed.allow_nonpositive_prices
    sane = finite & positive
    crossed = high < low
    outside = (opens > high) | (opens < low) | (close > high) | (close < low)
    vwap = float_values(raw["vwap"])
    slack = _VWAP_SLACK * np.abs(close)
    vwap_outside = np.isinf(vwap) | (vwap > high + slack) | (vwap < low - slack)
    return [
        ("price_not_finite", ~finite),
        ("price_not_positive", finite & ~positive),
        ("high_below_low", sane & crossed),
        ("price_outside_range", sane & ~crossed & outside),
        ("vwap_outside_range", sane & ~crossed & vwap_outside),
    ]


def _volume_rules(raw: pa.Table, feed: Feed) -> list[tuple[str, NDArray[np.bool_]]]:
    volume = float_values(raw["volume"])
    trades = int_values(raw["trade_count"], 0)
    return [
        ("volume_negative", volume < 0),
        ("volume_out_of_range", volume >= _volume_limit(feed)),
        ("trade_count_negative", trades < 0),
    ]


def _volume_limit(feed: Feed) -> float:
    return _WHOLE_UNIT_LIMIT if feed.asset_class in _WHOLE_UNIT_CLASSES else _EXACT_LIMIT


def _time_rules(
    ts: Ints, placement: Placement, feed: Feed, grid: SessionGrid, known_at_us: int
) -> list[tuple[str, NDArray[np.bool_]]]:
    future = ts >= known_at_us
    if not feed.interval.is_intraday:
        inside = placement.session >= 0
        closes = ts + DAY_US
        closes[inside] = label_closes(feed, grid, placement.session[inside], ts[inside])
        return [
            ("future", future),
            ("off_interval", ts % DAY_US != 0),
            ("out_of_session", ~inside & ~future),
            ("unfinished", ~future & (closes > known_at_us)),
        ]
    width = feed.interval.us
    # Vendors also cut hours from the session's open (09:30, 10:30 …) and on the exchange's clock, which a zone's
    # offset (Mumbai: 5:30) or a width of several hours sets apart from UTC's: all three are the feed's interval.
    on_interval = (ts % width == 0) | (placement.regular & ((ts - placement.anchor) % width == 0))
    rest = np.flatnonzero(~on_interval & (placement.session >= 0))
    on_interval[rest] = grid.local_clock(ts[rest]) % width == 0
    return [
        ("future", future),
        ("off_interval", ~on_interval),
        ("out_of_session", (placement.session < 0) & ~future),
        ("unfinished", ~future & (ts + width > known_at_us)),
    ]


def label_closes(feed: Feed, grid: SessionGrid, session: Ints, ts: Ints) -> Ints:
    """When bars of a day or more are complete (UTC microseconds); `session`: their positions in the grid."""
    return grid.completes[session] if feed.interval.us == DAY_US else label_ends(feed, ts)


def _flag(mask: Ints, rules: list[tuple[str, NDArray[np.bool_]]], exempt: NDArray[np.bool_]) -> None:
    for rule_id, broken in rules:
        hit = broken & ~exempt
        if hit.any():
            mask[hit] |= rule_bit(rule_id)


@dataclass(frozen=True, slots=True)
class Standing:
    """Which rows stand: `order` sorts the standing rows by (symbol, ts); `mask` has the losers' rules added."""

    order: Ints
    mask: Ints


def resolve_duplicates(raw: pa.Table, mask: Ints, source: Ints) -> Standing:
    """Decide which row stands for each (symbol, ts).

    Shape:   N rows of several parts concatenated in ledger order; `source` is each row's part, increasing with
             (known_at, ingest sequence); rows of one part in file order.
    Rules:   only rows with mask 0 compete. Inside a part the first stands and later ones are `duplicate_exact` or
             `duplicate_conflict`; of several parts the last one's stands and earlier ones are `superseded`.
    """
    mask = mask.copy()
    good = np.flatnonzero(mask == 0)
    codes, _ = symbol_codes(raw["symbol"])
    ts = int_values(raw["ts"], MISSING_TS)
    row = int_values(raw["row"])
    if not _in_order(codes[good], ts[good]):
        good = good[np.lexsort((row[good], source[good], ts[good], codes[good]))]
    same = (codes[good][1:] == codes[good][:-1]) & (ts[good][1:] == ts[good][:-1])
    if not same.any():
        return Standing(good, mask)
    again = np.flatnonzero(same & (source[good][1:] == source[good][:-1])) + 1
    _flag_repeats(raw, mask, good, again)
    good = good[mask[good] == 0]
    superseded = np.concatenate(((codes[good][1:] == codes[good][:-1]) & (ts[good][1:] == ts[good][:-1]), [False]))
    mask[good[superseded]] |= rule_bit("superseded")
    return Standing(good[~superseded], mask)


def _in_order(codes: NDArray[np.int32], ts: Ints) -> bool:
    same = codes[1:] == codes[:-1]
    return bool(np.where(same, ts[1:] > ts[:-1], codes[1:] > codes[:-1]).all())


def _flag_repeats(raw: pa.Table, mask: Ints, good: Ints, again: Ints) -> None:
    # Repeats of repeats compare with the row that stands, the first of their run.
    begins = np.arange(len(good))
    begins[again] = 0
    previous = np.maximum.accumulate(begins)[again]
    later, first = good[again], good[previous]
    equal = np.ones(len(again), bool)
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        values = float_values(raw[name])
        # Unknown is equal to unknown.
        equal &= (values[later] == values[first]) | (np.isnan(values[later]) & np.isnan(values[first]))
    trades = int_values(raw["trade_count"])
    equal &= trades[later] == trades[first]
    mask[good[again[equal]]] |= rule_bit("duplicate_exact")
    mask[good[again[~equal]]] |= rule_bit("duplicate_conflict")
