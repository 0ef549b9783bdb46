-- grain: one row a series, its last bar; columns as in read_base_bars.
select
    b.series_id,
    b.st,
    b.ts,
    b.open::float8 as open,
    b.high::float8 as high,
    b.low::float8 as low,
    b.close::float8 as close,
    b.volume::float8 as volume,
    b.vwap::float8 as money,
    b.trade_count::int8 as trade_count,
    b.regular::int4 as mark
from asked as a
cross join lateral (
    select {columns}
    from {table} as r
    where r.series_id = a.series_id
    order by r.st desc
    limit 1
) as b
