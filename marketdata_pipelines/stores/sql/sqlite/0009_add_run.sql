-- grain: one row a stored partition of a table; key (tbl, feed, partition). The run that walked it last, where known.
alter table stored add column run_id text not null default '';
