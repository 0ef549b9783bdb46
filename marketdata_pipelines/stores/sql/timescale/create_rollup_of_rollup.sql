-- One row a series and bucket of a finer rollup's buckets: (series_id, st).
create materialized view if not exists {schema}.{rollup}
with (timescaledb.continuous, timescaledb.materialized_only = true) as
select b.series_id,
       time_bucket({width}, b.st) as st,
       first(b.open, b.st) as open,
       max(b.high) as high,
       min(b.low) as low,
       last(b.close, b.st) as close,
       case when count(b.volume) = count(*) then sum(b.volume)::{number} end as volume,
       case when count(b.notional) = count(*) then sum(b.notional) end as notional,
       sum(b.bar_count)::bigint as bar_count,
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end as trade_count,
       min(b.first_ts) as first_ts,
       max(b.last_ts) as last_ts
from {schema}.{finer} b
group by b.series_id, time_bucket({width}, b.st)
with no data
