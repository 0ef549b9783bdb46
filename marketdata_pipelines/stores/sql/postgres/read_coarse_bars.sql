-- grain: one row a symbol with its bars of a stored coarse table as packed columns (as in read_packed_bars), in no order.
select
    b.symbol,
    string_agg(timestamptz_send(b.ts), ''::bytea) as ts,
    string_agg(timestamptz_send(b.ts_close), ''::bytea) as ts_close,
    string_agg(date_send(b.session_date), ''::bytea) as session_date,
    string_agg(float8send(b.open), ''::bytea) as open,
    string_agg(float8send(b.high), ''::bytea) as high,
    string_agg(float8send(b.low), ''::bytea) as low,
    string_agg(float8send(b.close), ''::bytea) as close,
    string_agg(float8send(coalesce(b.volume, 'NaN')), ''::bytea) as volume,
    string_agg(float8send(coalesce(b.vwap, 'NaN')), ''::bytea) as vwap,
    string_agg(int8send(coalesce(b.trade_count, -1)), ''::bytea) as trade_count,
    string_agg(int8send(b.bar_count), ''::bytea) as bar_count,
    string_agg(boolsend(b.is_final), ''::bytea) as is_final
from {table} as b
where {where}
group by b.symbol
order by b.symbol collate "C"
