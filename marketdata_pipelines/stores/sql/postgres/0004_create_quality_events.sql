-- quality_events: one row an event of a partition's quality, as the lake's log has it, key (feed, seq).
create table marketdata.quality_events (
    feed text not null references marketdata.feeds on delete cascade,
    seq bigint not null,
    noted_at timestamptz not null,
    partition text not null,
    session_date date,
    event text not null,
    rule text,
    symbol text,
    detail text not null default '',
    score_before double precision,
    score_after double precision,
    primary key (feed, seq)
);
