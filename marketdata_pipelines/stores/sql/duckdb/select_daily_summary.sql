-- grain: one row a symbol and session; key (symbol, bucket). ret_cc is the return on the owner's (the symbol's,
-- or its instrument's) previous stored close, both on one scale of prices.
with history as (
    select
        *,
        lag(return_close) over (partition by owner order by bucket) as previous_close
    from daily_summary
    where ($end_date is null or session_date <= $end_date)
)
select
    symbol,
    bucket,
    "open",
    high,
    low,
    "close",
    volume,
    vwap_typ,
    n,
    first_ts,
    last_ts,
    "range",
    ret_oc,
    return_close / previous_close - 1 as ret_cc,
    expected_minutes,
    notional,
    trade_count,
    session_date,
    ts_close,
    is_final
from history
where ($start_date is null or session_date >= $start_date)
order by symbol, bucket
