-- grain: one row a symbol, its last bar of the partition; key (symbol).
select
    symbol::varchar as symbol,
    max(ts) as ts,
    max(ts_close) as ts_close,
    max(session_date) as session_date,
    arg_max("open", ts) as "open",
    arg_max(high, ts) as high,
    arg_max(low, ts) as low,
    arg_max("close", ts) as "close",
    max_by(volume, ts) filter (where ts = last_ts) as volume,
    bool_or(regular) filter (where ts = last_ts) as regular
from (select *, max(ts) over (partition by symbol) as last_ts from bars)
where ts = last_ts
group by 1
order by symbol
