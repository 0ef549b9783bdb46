"""Why each quality rule is there: a sentence or two for the page of rules. What a rule says is in `rules`."""

from collections.abc import Mapping

from marketdata_pipelines.domain.quality.rules import QualityRule

REASONS: Mapping[str, str] = {
    "schema_types": "A column that is missing or of another type fails far from here, in whatever reads it next.",
    "row_count": "Fewer rows than were written mean a file that was cut off; it may look fine otherwise.",
    "key_present": "A bar without symbol or time joins nothing and is counted nowhere.",
    "key_unique": "Two bars of one symbol and time double its volume in everything that is combined from them.",
    "prices_finite": "One NaN or infinity spreads into every average and every coarser bar.",
    "prices_positive": "Returns of zero and negative prices are undefined. Feeds of spreads may allow them.",
    "ohlc_relations": "A close outside the bar's own range cannot have traded; one of the four prices is wrong.",
    "volume_valid": "A negative volume takes away from sums; unknown is null, none traded is 0.",
    "vwap_in_range": "An average of prices cannot lie outside them: volume or price is in another unit.",
    "trade_count_valid": "A count below zero is a marker of a source that was taken for a number.",
    "bar_has_length": "A bar that ends before it starts breaks point-in-time joins, which go by its end.",
    "on_interval": "A bar that starts between two intervals falls into no bucket, or into two.",
    "in_session": "What lies outside the session is no part of its open, high, low and close.",
    "not_future": "A bar that was known before it ended is not that bar: a backtest would look ahead.",
    "tick_size": "A price between two ticks was adjusted, averaged or mistyped; nobody could trade it.",
    "incomplete_session": "Half a session gives a wrong high, low and volume, and looks like a quiet day. Illiquid "
    "symbols are measured by their own sessions, not by the calendar.",
    "long_gap": "A hole in a liquid symbol is a fault of the feed far more often than a halt.",
    "market_gap": "When every symbol is silent at once, the feed was, not the market.",
    "missing_symbol": "A symbol that vanishes was delisted or renamed, or its file did not come: each is worth a look.",
    "stale_run": "A feed that repeats its last price looks alive; signals made of it are not.",
    "zero_volume_move": "Prices move by trades. A move without volume is an indication, a fill or a lost number.",
    "price_spike": "A misplaced decimal makes the best and the worst trade of every backtest.",
    "bad_wick": "A bad print sets stops and highs off though open and close are right.",
    "return_outlier": "A level that jumps and stays may be news; it may be another instrument or another unit. The "
    "scale comes from the sessions before, so that a wild day cannot excuse itself.",
    "split_like_jump": "A split nobody told of is a return of -50 % that no one had.",
    "volume_spike": "Volume in lots, in quote currency or summed twice is wrong by a factor, not by some percent.",
    "time_shift": "A session in the wrong zone has every price right and every time wrong.",
    "label_shift": "Bars labelled by their end that are taken for starts look one interval ahead.",
    "unannounced_revision": "History that changes quietly makes yesterday's result impossible to repeat.",
    "daily_differs": "A daily bar that its own minutes contradict has another session, adjustment or source.",
    "source_dispute": "Two sources that disagree cannot both be right; one alone never tells.",
}  # fmt: skip


def reason_of(rule: QualityRule) -> str:
    """The rule's own words where it has any, else those of this list; empty for rules nobody explained."""
    return rule.why or REASONS.get(rule.id, "")
