-- One row a partition of a table: (feed, tbl, partition).
insert into marketdata.published (
    feed, tbl, partition, inputs, rows, symbols, checksum, horizon_us, rolled, run_id, published_at
)
values (
    %(feed)s, %(table)s, %(partition)s, %(inputs)s, %(rows)s, %(symbols)s, %(checksum)s, %(horizon_us)s, %(rolled)s,
    %(run_id)s, clock_timestamp()
)
on conflict (feed, tbl, partition) do update
set inputs = excluded.inputs,
    rows = excluded.rows,
    symbols = excluded.symbols,
    checksum = excluded.checksum,
    horizon_us = excluded.horizon_us,
    rolled = excluded.rolled,
    run_id = excluded.run_id,
    published_at = excluded.published_at
returning published_at
