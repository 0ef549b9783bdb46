-- grain: one row a raw part whose file a policy of retention removed; key path. `superseders`: JSON of the sequence
-- numbers of the ingests beside which nothing of it counts.
create table if not exists removed_part (
    path text not null primary key,
    feed text not null,
    removed_us integer not null,
    superseders text not null
);
