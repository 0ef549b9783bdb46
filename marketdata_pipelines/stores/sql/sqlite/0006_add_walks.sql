-- grain: one row a base partition, of its last walk: what its tables were made of then; key (feed, partition).
create table if not exists walk (
    feed text not null,
    partition text not null,
    inputs text not null,
    horizon_us integer not null,
    parts text not null,
    primary key (feed, partition)
);
