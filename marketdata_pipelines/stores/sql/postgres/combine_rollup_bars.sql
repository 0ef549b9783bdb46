-- grain: one row a bucket that is made of a rollup's buckets; columns and key as in read_rollup_bars.
select
    b.series_id,
    {bucket} as st,
    min(b.first_ts) as ts,
    (array_agg(b.open order by b.st))[1]::float8 as open,
    max(b.high)::float8 as high,
    min(b.low)::float8 as low,
    (array_agg(b.close order by b.st desc))[1]::float8 as close,
    case when count(b.volume) = count(*) then sum(b.volume) end::float8 as volume,
    case when count(b.notional) = count(*) then sum(b.notional) end::float8 as money,
    case when count(b.trade_count) = count(*) then sum(b.trade_count) end::int8 as trade_count,
    sum(b.bar_count)::int4 as mark
from {table} as b
{clock}
where {where}
group by 1, 2
