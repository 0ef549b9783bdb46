-- One row a chunk of a feed's bars or trades: its table and the days [first, last) it covers, oldest first.
select n.nspname as schema,
       c.relname as name,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamp::date as first,
       (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamp::date as last,
       false as is_compressed
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
join pg_namespace n on n.oid = c.relnamespace
where i.inhparent = to_regclass(format('%%I.%%I', %(feed)s::text, %(table)s::text))
order by first
