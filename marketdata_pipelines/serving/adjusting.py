"""Answers adjusted for corporate actions, and by instrument where tickers were renamed or reused.

How one action weighs is in `domain.adjustment`, who bore a symbol in `serving.symbols`; here a question's rows, its
feed's actions and its instruments come together.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.action_weights import OLDEST_CLOSE_DAYS
from marketdata_pipelines.domain.actions import ActionKind
from marketdata_pipelines.domain.adjustment import Adjustment, adjust_bars
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.serving.daily import daily_bars
from marketdata_pipelines.serving.rows import RowSource
from marketdata_pipelines.serving.symbols import INSTRUMENT_ID, with_instrument_ids
from marketdata_pipelines.stores.lake.lake import Lake

# Unresolved rows have an id no action can have.
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Adjusting:
    """How a question's prices are adjusted: by which actions, until which ex date, told apart by which instruments."""

    adjustment: Adjustment
    anchor: date
    actions: pa.Table
    resolver: Resolver | None = None

    @property
    def key(self) -> str:
        """The column actions are matched by."""
        return "symbol" if self.resolver is None else INSTRUMENT_ID


def adjust_answer(lake: Lake, source: RowSource, adjusting: Adjusting, bars: pa.Table) -> tuple[pa.Table, list[str]]:
    """Rows with symbol and session_date adjusted; the actions that could not be applied, as notes."""
    if adjusting.adjustment is Adjustment.RAW or not bars.num_rows:
        return bars, []
    keyed = keyed_rows(bars, adjusting.resolver)
    actions = actions_by_key(adjusting)
    closes = _closes(lake, source, adjusting, actions, keyed)
    made, unapplied = adjust_bars(keyed, actions, adjusting.adjustment, adjusting.anchor, closes, key=adjusting.key)
    notes = [
        f"the {row['kind']} of {row['symbol']} on {row['ex_date']} is not in these prices: {row['reason']}"
        for row in unapplied.to_pylist()
    ]
    return _unkeyed(made, bars), notes


def actions_by_key(adjusting: Adjusting) -> pa.Table:
    """The actions with, where there are instruments, the one that bore their symbol on the ex date in place of it.

    A symbol nobody bore then may be an instrument's id, as in files that are kept under one name for good.
    """
    actions, resolver = adjusting.actions, adjusting.resolver
    if resolver is None:
        return actions
    named = zip(actions["symbol"].to_pylist(), actions["ex_date"].to_pylist(), strict=True)
    ids = [_instrument(resolver, symbol, ex_date) for symbol, ex_date in named]
    return actions.set_column(actions.schema.get_field_index("symbol"), "symbol", pa.array(ids, pa.string()))


def _instrument(resolver: Resolver, symbol: str, ex_date: date) -> str:
    # A rename often comes with the action: then the day before tells.
    found = resolver.id_of(symbol, ex_date) or resolver.id_of(symbol, ex_date - timedelta(days=1))
    if found is None or (not resolver.knows(symbol) and resolver.has(symbol)):
        return symbol
    return found


def keyed_rows(bars: pa.Table, resolver: Resolver | None) -> pa.Table:
    """Rows with the column actions are matched by: the instrument, where there are instruments."""
    if resolver is None:
        return bars
    whole = with_instrument_ids(bars, resolver)
    position = whole.schema.get_field_index(INSTRUMENT_ID)
    known = pc.fill_null(whole[INSTRUMENT_ID].cast(pa.string()), _NOBODY)
    return whole.set_column(position, INSTRUMENT_ID, known)


def _unkeyed(made: pa.Table, bars: pa.Table) -> pa.Table:
    """With the id column as it was before."""
    if INSTRUMENT_ID not in made.column_names:
        return made
    made = made.drop_columns([INSTRUMENT_ID])
    return made.append_column(INSTRUMENT_ID, bars[INSTRUMENT_ID]) if INSTRUMENT_ID in bars.column_names else made


def _closes(lake: Lake, source: RowSource, adjusting: Adjusting, actions: pa.Table, keyed: pa.Table) -> pa.Table | None:
    """Raw daily closes of the symbols whose paid amounts come without a close to measure them by."""
    paid = pc.is_in(actions["kind"], pa.array([ActionKind.CASH_DIVIDEND, ActionKind.SPIN_OFF], pa.string()))
    bare = pc.and_(pc.is_null(actions["price_factor"]), pc.is_null(actions["reference_close"]))
    asked = pc.is_in(actions["symbol"], pc.unique(keyed[adjusting.key].cast(pa.string())))
    wanting = actions.filter(pc.and_(pc.and_(paid, bare), asked))
    if adjusting.adjustment is not Adjustment.TOTAL or not wanting.num_rows:
        return None
    days = pc.min_max(wanting["ex_date"]).as_py()
    first = days["min"] - timedelta(days=OLDEST_CLOSE_DAYS + 1)
    found = daily_bars(lake, source, first, days["max"]).select(["symbol", "session_date", "close"])
    return keyed_rows(found, adjusting.resolver)
