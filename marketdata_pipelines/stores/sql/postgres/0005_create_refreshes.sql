-- refreshes: one row a dashboard view of a feed, with its last refresh, key (feed, view).
create table marketdata.refreshes (
    feed text not null references marketdata.feeds on delete cascade,
    view text not null,
    refreshed_at timestamptz not null,
    rows bigint not null check (rows >= 0),
    inputs text not null,
    primary key (feed, view)
);
