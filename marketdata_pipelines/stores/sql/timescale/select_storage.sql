-- One row a table of a feed, its chunks added up: (table), largest first.
with hypertables as (
    select h.hypertable_name::text as shown,
           format('%%I.%%I', h.hypertable_schema, h.hypertable_name)::regclass as relation
    from timescaledb_information.hypertables h
    where h.hypertable_schema = %(feed)s::text
    union all
    select a.view_name::text,
           format('%%I.%%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass
    from timescaledb_information.continuous_aggregates a
    where a.view_schema = %(feed)s::text
),
sizes as (
    select h.shown,
           coalesce(s.table_bytes + s.toast_bytes, 0)::bigint as heap_bytes,
           coalesce(s.index_bytes, 0)::bigint as index_bytes,
           (select count(*) from show_chunks(h.relation)) as chunks,
           coalesce(c.number_compressed_chunks, 0)::bigint as compressed_chunks,
           coalesce(c.after_compression_total_bytes, 0)::bigint as compressed_bytes,
           coalesce(c.before_compression_total_bytes, 0)::bigint as uncompressed_bytes
    from hypertables h
    cross join lateral hypertable_detailed_size(h.relation) s
    left join lateral hypertable_compression_stats(h.relation) c on true
    union all
    select t.relname::text, pg_table_size(t.oid), pg_indexes_size(t.oid), 0, 0, 0, 0
    from pg_class t
    join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = %(feed)s::text
      and t.relkind = 'r'
      and t.oid not in (select h.relation::oid from hypertables h)
)
select shown, heap_bytes, index_bytes, chunks, compressed_chunks, compressed_bytes, uncompressed_bytes
from sizes
order by heap_bytes + index_bytes desc, shown
