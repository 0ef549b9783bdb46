-- One row a chunk of a feed's bars or trades: its table and the days [first, last) it covers, oldest first.
select c.chunk_schema as schema,
       c.chunk_name as name,
       (c.range_start at time zone 'UTC')::date as first,
       (c.range_end at time zone 'UTC')::date as last,
       c.is_compressed
from timescaledb_information.chunks c
where c.hypertable_schema = %(feed)s::text and c.hypertable_name = %(table)s::text
order by first
