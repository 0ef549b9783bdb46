-- One row a bar of a session or several, as the lake holds it: (symbol, ts), ts being the label's midnight in UTC.
create table if not exists {schema}.{table} (
    symbol text not null,
    ts timestamptz not null,
    ts_close timestamptz not null,
    session_date date not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    volume double precision,
    notional double precision,
    vwap double precision,
    trade_count bigint,
    bar_count bigint not null,
    first_ts timestamptz not null,
    last_ts timestamptz not null,
    is_final boolean not null,
    primary key (symbol, ts)
)
