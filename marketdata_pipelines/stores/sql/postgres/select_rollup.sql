-- One row a bucket of a rollup in [first, last) of the session clock, in quote currency: (symbol, ts).
select s.symbol,
       {ts} as ts,
       r.open / power(10::float8, s.price_scale::float8) as open,
       r.high / power(10::float8, s.price_scale::float8) as high,
       r.low / power(10::float8, s.price_scale::float8) as low,
       r.close / power(10::float8, s.price_scale::float8) as close,
       r.volume / power(10::float8, s.volume_scale::float8) as volume,
       r.notional,
       r.trade_count,
       r.bar_count,
       r.first_ts,
       r.last_ts
from {schema}.{rollup} r
join marketdata.series s on s.series_id = r.series_id
left join marketdata.session_clock c
  on c.feed = {feed}
 and c.session_date = r.st::date
 and c.regular
 and r.st >= c.clock_start
 and r.st < c.clock_end
where r.st >= {first} and r.st < {last}
order by s.symbol collate "C", 2
