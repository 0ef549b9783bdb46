-- grain: one row a symbol over the whole range; key (symbol). From the sessions' bars: volatility is the sample
-- standard deviation of daily log returns, times sqrt(252). Returns are taken from prices on one scale; a reused symbol has a row an owner.
with sessions as (
    select
        *,
        ln(return_close / lag(return_close) over (partition by owner order by bucket)) as log_return
    from daily_summary
    where ($start_date is null or session_date >= $start_date)
      and ($end_date is null or session_date <= $end_date)
)
select
    arg_max(symbol, bucket) as symbol,
    min(session_date) as first_session,
    max(session_date) as last_session,
    count(*) as sessions,
    arg_min("open", bucket) as first_open,
    arg_max("close", bucket) as last_close,
    max(high) as high,
    min(low) as low,
    arg_max(return_close, bucket) / arg_min(return_open, bucket) - 1 as ret,
    case when count(volume) = count(*) then sum(volume) end as volume,
    case when count(notional) = count(*) then sum(notional) end as notional,
    sum(n)::bigint as bars,
    sum(case when "close" > "open" then 1 else 0 end)::bigint as sessions_up,
    stddev_samp(log_return) * sqrt(252) as volatility
from sessions
group by owner
order by symbol, first_session
