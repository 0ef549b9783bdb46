-- grain: one row a symbol and bucket of one timeframe, as users see it; key (symbol, ts).
select
    symbol::varchar as symbol,
    $timeframe as timeframe,
    ts,
    ts_close,
    session_date,
    "open",
    high,
    low,
    "close",
    volume,
    vwap,
    trade_count,
    bar_count,
    is_final
from bars
where ($symbols is null or list_contains($symbols, symbol::varchar))
  and ($start_ts is null or ts >= $start_ts)
  and ($end_ts is null or ts < $end_ts)
  and ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
  and ($regular_only = false or regular)
order by symbol, ts
