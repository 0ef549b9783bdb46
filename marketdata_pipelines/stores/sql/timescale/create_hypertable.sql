-- `bars` or `trades` in chunks of a number of days, without the index on time alone: no query that was measured wants it.
select create_hypertable(
    {table}, 'st', chunk_time_interval => {width}, create_default_indexes => false, if_not_exists => true
)
