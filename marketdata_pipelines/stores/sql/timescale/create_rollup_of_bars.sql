-- One row a series and bucket of regular bars: (series_id, st). Sums are carried; unknown in one bar is unknown here.
-- The join is with rows that never change: a series keeps its scales.
create materialized view if not exists {schema}.{rollup}
with (timescaledb.continuous, timescaledb.materialized_only = true) as
select b.series_id,
       time_bucket({width}, b.st) as st,
       first(b.open, b.st) as open,
       max(b.high) as high,
       min(b.low) as low,
       last(b.close, b.st) as close,
       case when count(b.volume) = count(*) then sum(b.volume)::{number} end as volume,
       case when count(b.volume) = count(*) then
           coalesce(sum(
               case when b.vwap = trunc(b.vwap) then b.vwap / power(10::float8, s.vwap_scale::float8) else b.vwap end
               * b.volume
           ), 0)
           / power(10::float8, min(s.volume_scale)::float8)
           + coalesce(sum(
               (b.high::float8 + b.low::float8 + b.close::float8) * b.volume::float8
             ) filter (where b.vwap is null), 0)
           / (3 * power(10::float8, (min(s.price_scale) + min(s.volume_scale))::float8))
       end as notional,
       count(*) as bar_count,
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end as trade_count,
       min(b.ts) as first_ts,
       max(b.ts) as last_ts
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
where b.regular
group by b.series_id, time_bucket({width}, b.st)
with no data
