-- session_clock: one row a stretch of a session in which trading time runs on, key (feed, session_date, segment).
create table marketdata.session_clock (
    feed text not null references marketdata.feeds on delete cascade,
    session_date date not null,
    segment smallint not null,
    regular boolean not null,
    -- The session's own clock, which has no zone and never leaves the session's date, against UTC.
    clock_start timestamp not null,
    clock_end timestamp not null,
    ts_start timestamptz not null,
    ts_end timestamptz not null,
    primary key (feed, session_date, segment),
    check (clock_start < clock_end and ts_start < ts_end)
);
