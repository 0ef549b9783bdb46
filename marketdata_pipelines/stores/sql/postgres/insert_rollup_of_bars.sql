-- One row a series and bucket of the regular bars of a window: (series_id, st).
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
       end,
       count(*),
       case when count(b.trade_count) = count(*) then sum(b.trade_count)::bigint end,
       min(b.ts),
       max(b.ts)
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
where b.regular
  and b.st >= %(first)s
  and b.st < %(last)s
  and (%(series)s::int[] is null or b.series_id = any(%(series)s::int[]))
group by b.series_id, bucket
