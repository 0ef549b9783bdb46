-- One row a partition of a feed's table: (partition), in order.
select feed, tbl, partition::text, inputs, rows, symbols, checksum, horizon_us, rolled, run_id, published_at
from marketdata.published
where feed = %(feed)s and tbl = %(table)s
order by partition
