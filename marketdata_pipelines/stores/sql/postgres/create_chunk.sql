-- The rows of `bars` of one stretch of days; made apart and attached, which keeps nobody from reading the others.
create table {schema}.{chunk} (like {schema}.bars including defaults including constraints including indexes);
alter table {schema}.{chunk} add constraint {check} check (st >= {first} and st < {last});
alter table {schema}.bars attach partition {schema}.{chunk} for values from ({first}) to ({last});
alter table {schema}.{chunk} drop constraint {check}
