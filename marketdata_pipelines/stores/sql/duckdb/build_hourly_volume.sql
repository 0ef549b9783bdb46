-- grain: one row a symbol, session date and hour of the day in the feed's zone; key (symbol, session_date, hour).
select
    b.symbol::varchar as symbol,
    b.session_date,
    extract('hour' from timezone($zone, b.ts))::bigint as "hour",
    count(*) as bars,
    case when count(b.volume) = count(*) then sum(b.volume) end as "sum",
    avg(b.volume) as mean,
    median(b.volume) as median,
    max(b.volume) as "max",
    stddev_samp(b.volume) as std_ddof1
from bars as b
group by 1, 2, 3
order by symbol, session_date, "hour"
