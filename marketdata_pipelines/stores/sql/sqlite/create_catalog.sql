-- Ledger (ingest, raw_part) and index (stored) of one lake. The ledger is a record of truth; the index can be
-- made again by walking.
create table if not exists ingest (
    seq integer primary key autoincrement,
    feed text not null,
    file text not null,
    path text not null,
    sha256 text not null,
    bytes integer not null,
    known_at_us integer not null,
    run_id text not null,
    mode text not null,
    status text not null,
    rule text,
    message text,
    findings text not null,
    feed_version text not null,
    parse_version text not null,
    calendar_version text not null,
    code_version text not null,
    rows integer not null,
    first_ts_us integer,
    last_ts_us integer,
    pulled text
);
create index if not exists ingest_by_content on ingest (feed, sha256, seq);
create table if not exists raw_part (
    seq integer not null references ingest (seq),
    feed text not null,
    partition text not null,
    tbl text not null,
    part_id text not null,
    path text not null,
    rows integer not null,
    symbols text,
    primary key (seq, partition, tbl)
);
create index if not exists raw_part_by_partition on raw_part (feed, partition);
create table if not exists stored (
    tbl text not null,
    feed text not null,
    partition text not null,
    path text not null,
    rows integer not null,
    bytes integer not null,
    symbols integer not null,
    first_ts_us integer,
    last_ts_us integer,
    signature text not null,
    inputs text not null,
    deltas text,
    primary key (tbl, feed, partition)
);
