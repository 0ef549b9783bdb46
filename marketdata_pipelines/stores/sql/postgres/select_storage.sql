-- One row a table of a feed, its partitions added up: (table), largest first.
select t.relname::text as table,
       sum(pg_table_size(coalesce(i.inhrelid, t.oid)))::bigint as heap_bytes,
       sum(pg_indexes_size(coalesce(i.inhrelid, t.oid)))::bigint as index_bytes,
       count(i.inhrelid) as chunks
from pg_class t
join pg_namespace n on n.oid = t.relnamespace
left join pg_inherits i on i.inhparent = t.oid
where n.nspname = %(feed)s and t.relkind in ('r', 'p') and not t.relispartition
group by t.relname
order by sum(pg_total_relation_size(coalesce(i.inhrelid, t.oid))) desc, 1
