-- quality_events in chunks of a million events of the log, whose numbers rise with time; its key is its only index.
select create_hypertable(
    'marketdata.quality_events', 'seq', chunk_time_interval => 1000000,
    create_default_indexes => false, if_not_exists => true, migrate_data => true
)
