-- grain: one row a published partition of a table: what it was made of, and when it was published; key partition.
select
    partition,
    inputs,
    published_at
from marketdata.published
where feed = %(feed)s
  and tbl = %(table)s
