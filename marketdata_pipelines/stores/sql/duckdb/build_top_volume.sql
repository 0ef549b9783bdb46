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
        notional / nullif(sum(notional) over (partition by session_date), 0) as share
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
