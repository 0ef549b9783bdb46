-- grain: one row a series, or two: its last bar on the session clock and, where that is of the extended hours, its last
-- regular bar of that session; columns as in read_base_bars. On that clock the hours before the open lie behind the
-- regular session.
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
) as newest
cross join lateral (
    select {newest}
    union all
    (
        select {columns}
        from {table} as r
        where not newest.regular
          and r.series_id = a.series_id
          and r.st >= newest.st::date
          and r.st < (
              select min(c.clock_start)
              from marketdata.session_clock as c
              where c.feed = %(feed)s
                and c.session_date = newest.st::date
                and not c.regular
          )
        order by r.st desc
        limit 1
    )
) as b
