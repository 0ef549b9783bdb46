-- Chunks that are compressed keep a series' bars of a chunk together, in order of time.
alter table {schema}.{table} set (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'series_id',
    timescaledb.compress_orderby = 'st'
)
