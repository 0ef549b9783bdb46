-- grain: one row an event of a partition's quality, in the order they were noted; key seq. Nothing is ever removed.
create table if not exists quality_event (
    seq integer primary key autoincrement,
    at_us integer not null,
    feed text not null,
    partition text not null,
    session_date text,
    event text not null,
    rule text,
    symbol text,
    detail text not null,
    score_before real,
    score_after real
);
create index if not exists quality_event_by_partition on quality_event (feed, partition);
