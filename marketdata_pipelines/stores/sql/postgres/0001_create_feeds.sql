-- feeds: one row a feed published to this store, key feed. series: one row a symbol and pair of decimal scales, key series_id.
create table marketdata.feeds (
    feed text primary key,
    -- How prices and volumes are kept: whole ticks (value = ticks / 10^scale of the series) or doubles.
    layout text not null check (layout in ('ticks', 'double')),
    chunk_days integer not null check (chunk_days > 0),
    definition text not null,
    interval_us bigint not null check (interval_us > 0),
    created_at timestamptz not null default now()
);

create table marketdata.series (
    series_id integer generated always as identity primary key,
    feed text not null references marketdata.feeds on delete cascade,
    symbol text not null,
    price_scale smallint not null check (price_scale between 0 and 9),
    volume_scale smallint not null check (volume_scale between 0 and 9),
    unique (feed, symbol, price_scale, volume_scale)
);
