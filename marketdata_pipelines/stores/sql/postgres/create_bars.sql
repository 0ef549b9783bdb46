-- One row a base bar: (series_id, st). st is the session clock (see domain/session_clock.py), ts the open in UTC. A vwap
-- that is a whole number is ticks of its series' vwap_scale, any other the vwap itself (see stores/timescale/vwaps.py).
create table if not exists {schema}.bars (
    series_id int not null,
    st timestamp not null,
    ts timestamptz not null,
    open {number} not null,
    high {number} not null,
    low {number} not null,
    close {number} not null,
    volume {number},
    vwap double precision,
    trade_count bigint,
    regular boolean not null,
    primary key (series_id, st)
) {options}
