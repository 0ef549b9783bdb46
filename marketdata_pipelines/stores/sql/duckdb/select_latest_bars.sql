-- grain: one row a symbol, its last bar in the range; key (symbol).
select
    symbol,
    ts,
    ts_close,
    session_date,
    "open",
    high,
    low,
    "close",
    volume,
    regular
from latest_bars
where ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
qualify row_number() over (partition by symbol order by ts desc) = 1
order by symbol
