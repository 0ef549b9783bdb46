-- One row a series with bars in [first, last): how many, and the MD5 of their rows in order of the session clock.
-- Unknown values are told apart from every value they could be: ticks are below 2^53, NaN is never stored.
select b.series_id,
       count(*),
       md5(string_agg(
           record_send(row(
               b.st, b.ts, b.open, b.high, b.low, b.close, coalesce(b.volume, {unknown}),
               coalesce(b.vwap, 'NaN'::float8), coalesce(b.trade_count, -1), b.regular
           )),
           ''::bytea order by b.st
       ))
from {schema}.bars b
where b.st >= %(first)s
  and b.st < %(last)s
  and (%(series)s::int[] is null or b.series_id = any(%(series)s::int[]))
group by b.series_id
