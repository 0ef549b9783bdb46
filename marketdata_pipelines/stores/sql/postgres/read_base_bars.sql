-- grain: one row a bar of the feed's own interval, prices and volume in the ticks of its series; key (series_id, st).
-- `money` is the source's vwap as it is stored (see create_bars), `mark` tells the regular session (1) from the extended hours (0).
select
    b.series_id,
    b.st,
    b.ts,
    b.open::float8 as open,
    b.high::float8 as high,
    b.low::float8 as low,
    b.close::float8 as close,
    b.volume::float8 as volume,
    b.vwap::float8 as money,
    b.trade_count::int8 as trade_count,
    b.regular::int4 as mark
from {table} as b
where {where}
