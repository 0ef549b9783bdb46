-- published: one row a partition of a table that this store holds, key (feed, tbl, partition); written with its rows.
create table marketdata.published (
    feed text not null references marketdata.feeds on delete cascade,
    tbl text not null,
    partition text not null,
    -- What the lake's index said of the partition that was published: equal is up to date; '' is changed since by late rows.
    inputs text not null,
    rows bigint not null check (rows >= 0),
    symbols integer not null check (symbols >= 0),
    checksum text not null,
    -- Bars that opened before this instant (microseconds since 1970, UTC) and had closed were final.
    horizon_us bigint not null,
    rolled boolean not null,
    run_id text not null default '',
    published_at timestamptz not null default now(),
    primary key (feed, tbl, partition)
);
