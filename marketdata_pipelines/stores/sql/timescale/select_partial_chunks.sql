-- One row a compressed chunk of a feed's bars or trades that has rows which are not (status 8: partial): its name.
select c.chunk_name
from timescaledb_information.chunks c
where c.hypertable_schema = %(feed)s::text
  and c.hypertable_name = %(table)s::text
  and c.is_compressed
  and _timescaledb_functions.chunk_status(format('%%I.%%I', c.chunk_schema, c.chunk_name)::regclass) & 8 > 0
