-- grain: one row a symbol and hour of the day in the feed's zone, over the whole range; key (symbol, hour).
-- Computed from the bars: a median cannot be had from medians.
select
    symbol::varchar as symbol,
    extract('hour' from timezone($zone, ts))::bigint as "hour",
    count(*) as bars,
    case when count(volume) = count(*) then sum(volume) end as "sum",
    avg(volume) as mean,
    median(volume) as median,
    max(volume) as "max",
    stddev_samp(volume) as std_ddof1,
    count(distinct session_date) as sessions
from validated_bars
where ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
group by 1, 2
order by symbol, "hour"
