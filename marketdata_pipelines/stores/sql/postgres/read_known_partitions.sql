-- grain: one row a published partition of a table in a range of partitions, with what reads need of it; key partition.
select
    partition,
    inputs,
    rows,
    symbols,
    horizon_us,
    rolled,
    published_at
from marketdata.published
where feed = %(feed)s
  and tbl = %(table)s
  and partition between %(first)s and %(last)s
order by partition
