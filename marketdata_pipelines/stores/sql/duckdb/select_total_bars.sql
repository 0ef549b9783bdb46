-- grain: one row a symbol: all its bars of the range as one; key symbol. A bar counts with its vwap x volume, or with its
-- typical price x volume where it has none; what is unknown of one bar is unknown of all.
with bars_in_range as (
    select
        symbol,
        ts,
        "open",
        high,
        low,
        "close",
        volume,
        vwap,
        trade_count
    from bars
    where ($symbols is null or list_contains($symbols, symbol::varchar))
      and ($start_ts is null or ts >= $start_ts)
      and ($end_ts is null or ts < $end_ts)
      and ($start_date is null or session_date >= $start_date)
      and ($end_date is null or session_date <= $end_date)
      and ($regular_only = false or regular)
),
totals as (
    select
        symbol::varchar as symbol,
        min(ts) as first_ts,
        max(ts) as last_ts,
        arg_min("open", ts) as "open",
        max(high) as high,
        min(low) as low,
        arg_max("close", ts) as "close",
        case when count(volume) = count(*) then fsum(volume) end as volume,
        case when count(volume) = count(*) then
            fsum(coalesce(vwap, (high + low + "close") / 3) * volume)
        end as notional,
        case when count(trade_count) = count(*) then sum(trade_count)::bigint end as trade_count,
        count(*) as bar_count
    from bars_in_range
    group by 1
)
select
    symbol,
    first_ts,
    last_ts,
    "open",
    high,
    low,
    "close",
    volume,
    notional,
    case when volume > 0 then notional / volume end as vwap,
    trade_count,
    bar_count
from totals
order by symbol
