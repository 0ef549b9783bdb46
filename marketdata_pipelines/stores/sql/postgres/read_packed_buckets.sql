-- grain: one row: that of read_packed_bars, then that of read_session_clock, then what the ledger knows of the range's
-- partitions (see read_known_partitions) as arrays; all of one state of the store. Null without partitions.
select
    packed.ids,
    packed.symbols,
    packed.price_scales,
    packed.volume_scales,
    packed.vwap_scales,
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
    packed.mark,
    clock.session_date,
    clock.clock_start,
    clock.ts_start,
    clock.ts_end,
    ledger.partitions,
    ledger.horizons,
    ledger.rolled
from ({packed}) as packed
cross join ({clock}) as clock
cross join (
    select
        array_agg(known.partition) as partitions,
        array_agg(known.horizon_us) as horizons,
        bool_and(known.rolled) as rolled
    from ({known}) as known
) as ledger
