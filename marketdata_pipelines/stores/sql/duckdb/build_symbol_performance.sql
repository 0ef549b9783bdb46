-- grain: one row a symbol of the partition; key (symbol).
select
    symbol::varchar as symbol,
    min(session_date) as first_session,
    max(session_date) as last_session,
    count(*) as sessions,
    arg_min("open", ts) as first_open,
    arg_max("close", ts) as last_close,
    max(high) as high,
    min(low) as low,
    arg_max("close", ts) / arg_min("open", ts) - 1 as ret,
    case when count(volume) = count(*) then sum(volume) end as volume,
    case when count(notional) = count(*) then sum(notional) end as notional,
    sum(bar_count)::bigint as bars,
    sum(case when "close" > "open" then 1 else 0 end)::bigint as sessions_up
from daily
group by 1
order by symbol
