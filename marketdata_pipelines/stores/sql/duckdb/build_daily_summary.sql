-- grain: one row a symbol and session of the partition; key (symbol, bucket).
-- $daily: 1d aggregates; $minutes: expected minutes by session date. The return on the previous close is
-- added on read: it needs the partition before.
select
    d.symbol::varchar as symbol,
    d.ts as bucket,
    d.open,
    d.high,
    d.low,
    d.close,
    d.volume,
    d.vwap as vwap_typ,
    d.bar_count as n,
    d.first_ts,
    d.last_ts,
    d.high - d.low as "range",
    d.close / d.open - 1 as ret_oc,
    m.expected_minutes,
    d.notional,
    d.trade_count,
    d.session_date,
    d.ts_close,
    d.is_final
from daily as d
left join minutes as m on m.session_date = d.session_date
order by symbol, bucket
