-- The rows of `bars` or `trades` of one stretch of days; made apart and attached, which keeps nobody from reading the others.
create table {schema}.{chunk} (like {schema}.{table} including defaults including constraints including indexes);
alter table {schema}.{chunk} add constraint {check} check (st >= {first} and st < {last});
alter table {schema}.{table} attach partition {schema}.{chunk} for values from ({first}) to ({last});
alter table {schema}.{chunk} drop constraint {check}
