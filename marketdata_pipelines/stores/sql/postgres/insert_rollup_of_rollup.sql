-- One row a series and bucket of a finer rollup's buckets of a window: (series_id, st).
insert into {schema}.{rollup} (
    series_id, st, open, high, low, close, volume, notional, bar_count, trade_count, first_ts, last_ts
)
select b.series_id,
       date_bin({width}, b.st, timestamp '2000-01-03') as bucket,
       (array_agg(b.open order by b.st))[1],
       max(b.high),
       min(b.low),
       (array_agg(b.close order by b.st))[count(*)::int],
       case when count(b.volume) = count(*) then sum(b.volume)::{number} end,
       case when count(b.notional) = count(*) then sum(b.notional) end,
       sum(b.bar_count)::bigint,
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end,
       min(b.first_ts),
       max(b.last_ts)
from {schema}.{finer} b
where b.st >= %(first)s
  and b.st < %(last)s
  and (%(series)s::int[] is null or b.series_id = any(%(series)s::int[]))
group by b.series_id, bucket
