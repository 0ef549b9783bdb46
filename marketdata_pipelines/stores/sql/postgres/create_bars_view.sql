-- For people: one row a base bar in quote currency: (symbol, ts). Ask for days by st, which chunks are cut by.
create or replace view {schema}.{view} as
select s.symbol,
       b.ts,
       {ts_close} as ts_close,
       b.st::date as session_date,
       b.open / power(10::float8, s.price_scale::float8) as open,
       b.high / power(10::float8, s.price_scale::float8) as high,
       b.low / power(10::float8, s.price_scale::float8) as low,
       b.close / power(10::float8, s.price_scale::float8) as close,
       b.volume / power(10::float8, s.volume_scale::float8) as volume,
       case when b.vwap = trunc(b.vwap) then b.vwap / power(10::float8, s.vwap_scale::float8) else b.vwap end as vwap,
       b.trade_count,
       b.regular,
       b.st
from {schema}.bars b
join marketdata.series s on s.series_id = b.series_id
