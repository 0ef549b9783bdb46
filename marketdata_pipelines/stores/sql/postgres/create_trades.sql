-- One row a trade that a base bar was made of: (series_id, st, ns, seq). st is the session clock, ts the time in UTC,
-- ns the nanoseconds beyond its microsecond; seq counts a symbol's trades of a partition in the order they count.
create table if not exists {schema}.trades (
    series_id int not null,
    st timestamp not null,
    ts timestamptz not null,
    ns smallint not null,
    seq bigint not null,
    price {number} not null,
    size {number},
    exchange text,
    conditions text,
    counts_price boolean not null,
    counts_volume boolean not null,
    primary key (series_id, st, ns, seq)
) {options}
