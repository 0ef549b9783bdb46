-- grain: one row: the asked series as arrays, and their bars as packed columns: each value of 8 bytes in network byte
-- order, NaN for an unknown float, -1 for an unknown count, all columns in one order, which is none. Null without bars.
with asked as materialized ({asked})
select
    series.ids,
    series.symbols,
    series.price_scales,
    series.volume_scales,
    series.vwap_scales,
    packed.series_id,
    packed.st,
    packed.ts,
    packed.open,
    packed.high,
    packed.low,
    packed.close,
    packed.volume,
    packed.money,
    packed.trade_count,
    packed.mark
from (
    select
        array_agg(series_id order by series_id) as ids,
        array_agg(symbol order by series_id) as symbols,
        array_agg(price_scale order by series_id) as price_scales,
        array_agg(volume_scale order by series_id) as volume_scales,
        array_agg(vwap_scale order by series_id) as vwap_scales
    from asked
) as series
cross join (
    select
        string_agg(int8send(b.series_id), ''::bytea) as series_id,
        string_agg(timestamp_send(b.st), ''::bytea) as st,
        string_agg(timestamptz_send(b.ts), ''::bytea) as ts,
        string_agg(float8send(b.open), ''::bytea) as open,
        string_agg(float8send(b.high), ''::bytea) as high,
        string_agg(float8send(b.low), ''::bytea) as low,
        string_agg(float8send(b.close), ''::bytea) as close,
        string_agg(float8send(coalesce(b.volume, 'NaN')), ''::bytea) as volume,
        string_agg(float8send(coalesce(b.money, 'NaN')), ''::bytea) as money,
        string_agg(int8send(coalesce(b.trade_count, -1)), ''::bytea) as trade_count,
        string_agg(int8send(b.mark), ''::bytea) as mark
    from ({bars}) as b
) as packed
