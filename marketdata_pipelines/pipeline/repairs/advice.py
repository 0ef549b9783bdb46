"""What should be told instead of changing bars: splits that nobody told of.

Advice is listed beside the repairs and never applied: corporate actions are people's to declare.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.proposals import propose_actions
from marketdata_pipelines.domain.repairs.records import REPAIR_ROW_SCHEMA, Repair, RepairKind
from marketdata_pipelines.domain.sessions import midnight_us, to_us
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.stores.lake.lake import Lake

SPLIT_RULES = frozenset(("split_like_jump",))
# Partitions of daily bars looked at on either side: proposals ask for five sessions.
_AROUND = 8
_LARGEST_DENOMINATOR = 100
_DAILY = ["symbol", "session_date", "open", "close", "volume"]
Finding = Mapping[str, object]


def advised_splits(lake: Lake, feed: Feed, key: str, findings: Sequence[Finding]) -> list[Repair]:
    """Corporate actions that findings of a partition suggest, where the daily bars around them agree."""
    jumps = {(str(each["symbol"]), each["session_date"]): each for each in findings if each["rule"] in SPLIT_RULES}
    if not jumps:
        return []
    daily = _daily_around(lake, feed, key, sorted({symbol for symbol, _ in jumps}))
    found = []
    for action in propose_actions(daily).to_pylist() if daily is not None else ():
        finding = jumps.get((action["symbol"], action["ex_date"]))
        if finding is not None:
            found.append(_split(feed, key, action, finding))
    return found


def _split(feed: Feed, key: str, action: Mapping[str, object], finding: Finding) -> Repair:
    symbol, ex_date = str(action["symbol"]), action["ex_date"]
    assert isinstance(ex_date, date)
    ratio = Fraction(float(str(action["ratio"]))).limit_denominator(_LARGEST_DENOMINATOR)
    written = f"{ratio.numerator}:{ratio.denominator}"
    reference = feed.corporate_actions
    taken_in = f"marketdata reference ingest {reference}" if reference else "marketdata reference ingest NAME"
    declared = "" if reference else "declare corporate actions for this feed in feeds.yaml, "
    advice = f"if it was one, {declared}add the row {symbol},{ex_date},split,{written} and run: {taken_in}"
    ts = finding["ts"]
    first_us = to_us(ts) if ts is not None else midnight_us(ex_date)  # type: ignore[arg-type]
    text = f"looks like a {written} split on {ex_date}: {action['why']}; {advice}"
    sure = float(str(action["confidence"]))
    nothing, kind = REPAIR_ROW_SCHEMA.empty_table(), RepairKind.CORPORATE_ACTION
    rule = str(finding["rule"])
    return Repair(
        feed.name, kind, key, (symbol,), ex_date, first_us, first_us, nothing, False, sure, text, rule, advice
    )  # fmt: skip


def _daily_around(lake: Lake, feed: Feed, key: str, symbols: Sequence[str]) -> pa.Table | None:
    """Stored 1d bars of some symbols in the partitions around one; None where there are none."""
    table = CoarseBars(lake, feed).source_table
    stored = [item.partition for item in lake.catalog.stored(table, feed.name)]
    before = [name for name in stored if name < key][-_AROUND:]
    after = [name for name in stored if name >= key][: _AROUND + 1]
    found = [lake.read(table, feed.name, name, _DAILY, symbols=symbols) for name in (*before, *after)]
    if not found:
        return None
    return pa.concat_tables([each.set_column(0, "symbol", each["symbol"].cast(pa.string())) for each in found])
