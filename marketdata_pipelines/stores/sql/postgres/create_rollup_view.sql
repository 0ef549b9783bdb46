-- For people: one row a bucket of regular bars in quote currency: (symbol, ts), ts being the bucket's start in UTC.
create or replace view {schema}.{view} as
select s.symbol,
       c.ts_start + (r.st - c.clock_start) as ts,
       c.ts_start + (least(r.st + {width}, c.clock_end) - c.clock_start) as ts_close,
       r.st::date as session_date,
       r.open / power(10::float8, s.price_scale::float8) as open,
       r.high / power(10::float8, s.price_scale::float8) as high,
       r.low / power(10::float8, s.price_scale::float8) as low,
       r.close / power(10::float8, s.price_scale::float8) as close,
       r.volume / power(10::float8, s.volume_scale::float8) as volume,
       r.notional,
       case when r.volume > 0 then
           r.notional / (r.volume / power(10::float8, s.volume_scale::float8))
       end as vwap,
       r.trade_count,
       r.bar_count,
       r.first_ts,
       r.last_ts,
       r.st
from {schema}.{rollup} r
join marketdata.series s on s.series_id = r.series_id
join marketdata.session_clock c
  on c.feed = {feed}
 and c.session_date = r.st::date
 and c.regular
 and r.st >= c.clock_start
 and r.st < c.clock_end
