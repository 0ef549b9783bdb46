-- grain: one row each time a feed was found defined another way than before; key (feed, known_at_us).
create table if not exists definition (
    feed text not null,
    known_at_us integer not null,
    version text not null,
    text text not null,
    primary key (feed, known_at_us)
);
