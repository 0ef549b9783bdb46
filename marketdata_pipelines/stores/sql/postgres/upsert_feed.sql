-- One row a feed: (feed).
insert into marketdata.feeds (feed, layout, chunk_days, definition, interval_us, vwap_ticks)
values (%(feed)s, %(layout)s, %(chunk_days)s, %(definition)s, %(interval_us)s, %(vwap_ticks)s)
on conflict (feed) do update
set layout = excluded.layout,
    chunk_days = excluded.chunk_days,
    definition = excluded.definition,
    interval_us = excluded.interval_us,
    vwap_ticks = excluded.vwap_ticks
