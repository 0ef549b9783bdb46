-- grain: one row a series: all its sessions of a window as one, from a rollup; columns and key as in read_total_bars.
select
    b.series_id,
    max(b.last_ts) at time zone 'UTC' as st,
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
where {where}
group by 1
