-- One row a symbol and session with trades in [first, last): how many, how many count for prices, and their sizes added
-- up: of all, and of those that count for volume.
select s.symbol,
       t.st::date as session_date,
       count(*) as count,
       count(*) filter (where t.counts_price) as trade_count,
       coalesce(sum(t.size / power(10::float8, s.volume_scale::float8)), 0)::float8 as size,
       coalesce(
           sum(t.size / power(10::float8, s.volume_scale::float8)) filter (where t.counts_volume), 0
       )::float8 as volume
from {schema}.trades t
join marketdata.series s on s.series_id = t.series_id
where t.st >= %(first)s and t.st < %(last)s
group by s.symbol, t.st::date
order by s.symbol, session_date
