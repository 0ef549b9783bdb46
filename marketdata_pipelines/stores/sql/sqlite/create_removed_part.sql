-- grain: one row a raw part whose file a policy of retention removed; key (path, seq): the same content read again is
-- another part at the same path. `superseders`: JSON of the sequence numbers of the ingests beside which nothing of
-- it counts.
create table if not exists removed_part (
    path text not null,
    seq integer not null,
    feed text not null,
    removed_us integer not null,
    superseders text not null,
    primary key (path, seq)
);
