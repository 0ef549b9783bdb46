"""Findings made of disputes: at most one a symbol-session, pair of feeds and kind of difference."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.quality.comparing import Compared
from marketdata_pipelines.domain.quality.disputes import Disputed, Likelier, Tolerance, tolerance_of
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.rules import QualityRule

_Row = dict[str, Any]
# As grave as a price that is off by so much.
_LACKING = 0.02


def dispute_findings(compared: Sequence[Compared], rules: Mapping[str, QualityRule]) -> pa.Table:
    """What of the disputes breaks a rule, of those the feed asks for.

    Shape:   FINDING_SCHEMA, sorted by (symbol, session_date, ts, rule).
    Rules:   a symbol-session is found when more than `share` of the bars compared are disputed, or a price by more than
             `gross`; a stretch on another scale, or with other volumes throughout, where it begins.
    """
    found: list[_Row] = []
    for each in compared:
        disputes = each.disputes.filter(each.disputes["begins"])
        stretches = pc.equal(disputes["field"], Disputed.SCALE)
        stretches = pc.or_(
            stretches, pc.and_(pc.equal(disputes["field"], Disputed.VOLUME), pc.greater(disputes["bars"], 1))
        )
        found += [_stretch(row, rules) for row in disputes.filter(stretches).to_pylist() if row["rule"] in rules]
        found += _sessions(disputes.filter(pc.invert(stretches)), each.agreement, rules)
    whole = pa.Table.from_pylist(found, schema=FINDING_SCHEMA)
    return whole.take(
        pc.sort_indices(_plain(whole), [(key, "ascending") for key in ("symbol", "session_date", "ts", "rule")])
    )


def _sessions(disputes: pa.Table, agreement: pa.Table, rules: Mapping[str, QualityRule]) -> Iterator[_Row]:
    """Findings of symbol-sessions with single disputes."""
    if not disputes.num_rows:
        return
    counted = {
        (row["symbol"], row["session_date"]): row for row in agreement.to_pylist() if row["agreeing"] < row["compared"]
    }
    groups: dict[tuple[str, str, date], list[_Row]] = {}
    for row in disputes.to_pylist():
        if row["rule"] in rules:
            groups.setdefault((row["rule"], row["symbol"], row["session_date"]), []).append(row)
    for (rule, symbol, day), rows in groups.items():
        tolerance = tolerance_of(rules, rule)
        finding = _session(rows, counted.get((symbol, day), {}), rules[rule], tolerance)
        if finding is not None:
            yield finding


def _session(rows: list[_Row], counts: Mapping[str, Any], rule: QualityRule, tolerance: Tolerance) -> _Row | None:
    worst = max(rows, key=_gravity)
    compared = int(counts.get("compared", 0))
    bars = max(compared - int(counts.get("agreeing", 0)), 1)
    share = bars / max(compared, 1)
    gross = max((abs(row["difference"]) for row in rows if row["field"] in PRICES), default=0.0)
    if compared > 1 and share <= tolerance.share and gross <= tolerance.gross:
        return None
    if compared > 1:
        value, limit = (share, tolerance.share) if share > tolerance.share else (gross, tolerance.gross)
    else:
        by_volume = worst["field"] == Disputed.VOLUME
        value = 1.0 if worst["difference"] is None else abs(worst["difference"])
        limit = tolerance.volume if by_volume else tolerance.price
    many = f"{bars} of {compared} bars differ from {worst['other_feed']} ({share:.1%}), most: " if compared > 1 else ""
    text = f"{many}{_told(worst, with_feed=compared <= 1)}{_opinion(rows)}"
    return _finding(rule, worst, min(row["ts"] for row in rows), max(row["ts_last"] for row in rows)) | {
        "bars": bars,
        "value": value,
        "limit": limit,
        "message": text,
    }


def _stretch(row: _Row, rules: Mapping[str, QualityRule]) -> _Row:
    rule = rules[row["rule"]]
    tolerance = tolerance_of(rules, row["rule"])
    times = f"{row['value'] / row['other_value']:.6g} times" if row["other_value"] else "not"
    count = "1 bar" if row["bars"] == 1 else f"{row['bars']} bars"
    if row["field"] == Disputed.SCALE:
        text = f"prices of {count} are {times} those of {row['other_feed']}: adjusted differently"
        limit = tolerance.price
    else:
        text = f"volumes of {count} together are {times} those of {row['other_feed']}"
        limit = tolerance.volume
    return _finding(rule, row, row["ts"], row["ts_last"]) | {
        "bars": row["bars"],
        "value": abs(row["difference"]),
        "limit": limit,
        "message": text + _opinion([row]),
    }


def _finding(rule: QualityRule, row: _Row, first: datetime, last: datetime) -> _Row:
    return {
        "rule": rule.id,
        "dimension": str(rule.dimension),
        "severity": str(rule.severity),
        "symbol": row["symbol"],
        "session_date": row["session_date"],
        "ts": first,
        "ts_last": last,
        "standing": True,
    }


def _gravity(row: _Row) -> tuple[bool, float, bool]:
    """Prices come before volumes, and of equal differences that of the close; a bar that a side lacks is told where no
    price is far off."""
    size = _LACKING if row["difference"] is None else round(abs(row["difference"]), 6)
    return row["field"] != Disputed.VOLUME, size, row["field"] == Disputed.CLOSE


def _told(row: _Row, *, with_feed: bool) -> str:
    moment = _moment(row)
    other = f" of {row['other_feed']}" if with_feed else ""
    if row["field"] == Disputed.BAR:
        count = "1 bar" if row["bars"] == 1 else f"{row['bars']} bars"
        side = f"{row['other_feed']} has" if row["value"] is None else "this feed has"
        return f"only {side} {count} {moment.replace('at ', 'from ', 1)}"
    value, against = (f"{row[name]:.10g}" for name in ("value", "other_value"))
    return f"{row['field']} {value} against {against}{other} {moment} ({abs(row['difference']):.1%})"


def _moment(row: _Row) -> str:
    if parse_interval(row["timeframe"]).is_intraday:
        return f"at {row['ts'].astimezone(UTC):%H:%M:%S} UTC"
    return f"on {row['session_date']}"


def _opinion(rows: Sequence[_Row]) -> str:
    sides = {row["likelier"] for row in rows}
    if sides == {str(Likelier.OWN)}:
        return "; this feed is likelier right"
    if sides == {str(Likelier.OTHER)}:
        return f"; {rows[0]['other_feed']} is likelier right"
    return ""


def _plain(table: pa.Table) -> pa.Table:
    """The sort keys with symbols as text: dictionaries are not sorted by what they hold."""
    keys = table.select(["symbol", "session_date", "ts", "rule"])
    return keys.set_column(0, "symbol", keys["symbol"].cast(pa.string()))
