-- grain: one row a series: all its bars of a window as one, prices and volume in its ticks; key series_id.
-- `ts` is its first bar's, `st` its last bar's (as a clock at UTC), `money` the sum of price x volume, `mark` its bars.
select
    b.series_id,
    max(b.ts) at time zone 'UTC' as st,
    min(b.ts) as ts,
    (array_agg(b.open order by b.ts))[1]::float8 as open,
    max(b.high)::float8 as high,
    min(b.low)::float8 as low,
    (array_agg(b.close order by b.ts desc))[1]::float8 as close,
    case when count(b.volume) = count(*) then sum(b.volume) end::float8 as volume,
    case when count(b.volume) = count(*) then sum(
        coalesce(
            case when b.vwap = trunc(b.vwap) then b.vwap / 10::float8 ^ a.vwap_scale::float8 else b.vwap end,
            (b.high::float8 + b.low::float8 + b.close::float8) / 3 / 10::float8 ^ a.price_scale::float8
        )
        * (b.volume::float8 / 10::float8 ^ a.volume_scale::float8)
    ) end as money,
    case when count(b.trade_count) = count(*) then sum(b.trade_count) end::int8 as trade_count,
    count(*)::int4 as mark
from {table} as b
join asked as a on a.series_id = b.series_id
where {where}
group by 1
