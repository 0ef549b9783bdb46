-- grain: one row a session date and rank, the 100 symbols of the greatest traded value; key (session_date, symbol).
with ranked as (
    select
        session_date,
        symbol::varchar as symbol,
        volume,
        notional,
        trade_count,
        row_number() over (partition by session_date order by notional desc nulls last, volume desc nulls last, symbol)
            as rank,
        case
            when count(notional) over (partition by session_date) = count(*) over (partition by session_date)
            then notional / nullif(sum(notional) over (partition by session_date), 0)
        end as share
    from daily
)
select
    session_date,
    rank,
    symbol,
    volume,
    notional,
    trade_count,
    share
from ranked
where rank <= 100
order by session_date, rank
