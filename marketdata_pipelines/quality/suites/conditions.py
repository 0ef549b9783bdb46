"""The SQL conditions of single rules: what is true of a row that breaks them.

DuckDB orders NaN above every number, so finiteness is a rule of its own and no comparison stands for it. A null
result counts as broken (see `records.SuiteRule`), so columns that may be null say so.
"""

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US

# Shares of the close by which a vendor's own vwap may leave the range, and of a tick by which a price may miss one.
_VWAP_SLACK = 1e-6
# Of a tick: fractions such as 1/128 are written with four decimals. The same as in `domain.quality.suspect_kernel`.
_TICK_SLACK = 0.02
_QUOTED = {name: f'"{name}"' for name in ("open", "close")}
# Helper columns that the batch adds beside the table's own.
FIRST, KNOWN_AT, TICK, SAMPLED, ON_LOCAL_CLOCK = "is_first", "known_at_us", "tick", "is_sampled", "on_local_clock"


def quoted(name: str) -> str:
    """A column's name as SQL has it."""
    return _QUOTED.get(name, name)


def previous(name: str) -> str:
    """The helper column with the value of the row before."""
    return f"previous_{name}"


def missing_keys(texts: tuple[str, ...], others: tuple[str, ...]) -> str:
    """Key columns that are null, or texts that are empty."""
    terms = [f"{name} is null or {name} = ''" for name in texts] + [f"{name} is null" for name in others]
    return " or ".join(terms)


def not_increasing(keys: tuple[str, ...]) -> str:
    """The row's key does not come after that of the row before; before the first row stands nothing."""
    steps = []
    for count, key in enumerate(keys):
        equal = [f"{name} = {previous(name)}" for name in keys[:count]]
        steps.append("(" + " and ".join([*equal, f"{key} > {previous(key)}"]) + ")")
    return f"not {FIRST} and not ({' or '.join(steps)})"


def not_finite() -> str:
    return "not (" + " and ".join(f"isfinite({quoted(name)})" for name in PRICES) + ")"


def not_positive() -> str:
    return "not (" + " and ".join(f"{quoted(name)} > 0" for name in PRICES) + ")"


def not_consistent() -> str:
    return 'not (low <= "open" and "open" <= high and low <= "close" and "close" <= high)'


def volume_wrong() -> str:
    return "volume is not null and not (isfinite(volume) and volume >= 0)"


def vwap_outside() -> str:
    slack = f'{_VWAP_SLACK} * abs("close")'
    return f"vwap is not null and not (isfinite(vwap) and vwap >= low - {slack} and vwap <= high + {slack})"


def trade_count_wrong() -> str:
    return "trade_count is not null and trade_count < 0"


def without_length(*, intraday: bool) -> str:
    # A bar of a day or more is labelled at midnight UTC of its date: a half-day east of UTC may be over by then.
    return "not (ts_close > ts)" if intraday else f"not (epoch_us(ts_close) > epoch_us(ts) - {DAY_US})"


def off_interval(feed: Feed) -> str:
    """A bar starts on the feed's interval from UTC, its trading segment's open, or the exchange's clock."""
    if not feed.interval.is_intraday:
        return f"not (epoch_us(ts) % {DAY_US} = 0)"
    width = feed.interval.us
    on_utc = f"epoch_us(ts) % {width} = 0"
    if width <= MINUTE_US:
        # Sessions open, and zones differ, by whole minutes.
        return f"not ({on_utc})"
    return f"not ({on_utc} or (regular and (epoch_us(ts) - epoch_us(segment_open)) % {width} = 0) or {ON_LOCAL_CLOCK})"


def out_of_session(pauses: int) -> str:
    """A bar lies outside its session's hours, or claims to be regular and lies outside the trading segments.

    The bounds are those of `hours.session_hours`. A session_date without a session is outside.
    """
    outside = ["ts < regular_from", "ts >= regular_until"]
    for pause in range(1, pauses + 1):
        outside.append(f"coalesce(ts >= pause_{pause}_from and ts < pause_{pause}_until, false)")
    regular = f"regular and ({' or '.join(outside)})"
    return f"span_from is null or regular is null or ts < span_from or ts >= span_until or ({regular})"


def in_future() -> str:
    return f"not (epoch_us(ts_close) <= {KNOWN_AT})"


def off_tick() -> str:
    parts = [
        f"abs({name} / {TICK} - round({name} / {TICK})) > greatest({_TICK_SLACK}, abs({name} / {TICK}) * 1e-12)"
        for name in map(quoted, PRICES)
    ]
    return f"{TICK} is not null and ({' or '.join(parts)})"


def only_sampled(condition: str) -> str:
    """The condition where the row's symbol is in the sample."""
    return f"{SAMPLED} and coalesce(({condition}), true)"
