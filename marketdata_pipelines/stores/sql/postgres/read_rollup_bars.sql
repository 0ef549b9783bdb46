-- grain: one row a bucket of a rollup, prices and volume in the ticks of its series; key (series_id, st).
-- `ts` is its first bar's, `money` the sum of price x volume, `mark` how many bars it holds.
select
    b.series_id,
    b.st,
    b.first_ts as ts,
    b.open::float8 as open,
    b.high::float8 as high,
    b.low::float8 as low,
    b.close::float8 as close,
    b.volume::float8 as volume,
    b.notional::float8 as money,
    b.trade_count::int8 as trade_count,
    b.bar_count::int4 as mark
from {table} as b
where {where}
