-- For people: one row a trade in quote currency: (symbol, seq of its partition). Ask for days by st, which chunks are cut by.
create or replace view {schema}.trades_by_symbol as
select s.symbol,
       t.ts,
       t.ns,
       t.st::date as session_date,
       t.seq,
       t.price / power(10::float8, s.price_scale::float8) as price,
       t.size / power(10::float8, s.volume_scale::float8) as size,
       t.exchange,
       t.conditions,
       t.counts_price,
       t.counts_volume,
       t.st
from {schema}.trades t
join marketdata.series s on s.series_id = t.series_id
