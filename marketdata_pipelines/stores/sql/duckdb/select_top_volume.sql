-- grain: one row a session date and rank; key (session_date, symbol).
select
    session_date,
    rank,
    symbol,
    volume,
    notional,
    trade_count,
    share
from top_volume
where ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
order by session_date, rank
