-- One row a base bar of some symbols in [first, last) of the session clock, in quote currency: (symbol, ts).
select s.symbol,
       b.ts,
       b.st,
       b.open / power(10::float8, s.price_scale::float8) as open,
       b.high / power(10::float8, s.price_scale::float8) as high,
       b.low / power(10::float8, s.price_scale::float8) as low,
       b.close / power(10::float8, s.price_scale::float8) as close,
       b.volume / power(10::float8, s.volume_scale::float8) as volume,
       case when b.vwap = trunc(b.vwap) then b.vwap / power(10::float8, s.vwap_scale::float8) else b.vwap end as vwap,
       b.trade_count,
       b.regular
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
where b.st >= {first} and b.st < {last} and s.symbol = any({symbols}::text[])
order by s.symbol collate "C", b.ts, b.series_id
