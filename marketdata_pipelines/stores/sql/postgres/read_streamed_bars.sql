-- grain: one row a bar or bucket of the asked series, rows of one length: NaN for an unknown float, -1 for an unknown
-- count; in no order.
with asked as materialized ({asked})
select
    b.series_id,
    b.st,
    b.ts,
    b.open,
    b.high,
    b.low,
    b.close,
    coalesce(b.volume, 'NaN') as volume,
    coalesce(b.money, 'NaN') as money,
    coalesce(b.trade_count, -1) as trade_count,
    b.mark
from ({bars}) as b
