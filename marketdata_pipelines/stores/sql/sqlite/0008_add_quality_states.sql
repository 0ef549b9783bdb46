-- grain: one row a partition whose quality was judged, with what the events have told of it so far (JSON);
-- key (feed, partition).
create table if not exists quality_state (
    feed text not null,
    partition text not null,
    state text not null,
    primary key (feed, partition)
);
