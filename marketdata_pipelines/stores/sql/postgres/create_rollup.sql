-- One row a series and bucket of regular bars: (series_id, st). Sums are carried; unknown in one bar is unknown here.
create table if not exists {schema}.{rollup} (
    series_id int not null,
    st timestamp not null,
    open {number} not null,
    high {number} not null,
    low {number} not null,
    close {number} not null,
    volume {number},
    notional double precision,
    bar_count bigint not null,
    trade_count bigint,
    first_ts timestamptz not null,
    last_ts timestamptz not null,
    primary key (series_id, st)
)
