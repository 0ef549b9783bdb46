-- series: a whole number among the stored vwaps of a series is ticks of 10^-vwap_scale, any other is the vwap itself; what
-- was stored before is of scale 0, which is both. feeds: feeds made before have rollups that know of no ticks, and get none.
alter table marketdata.series
    add column vwap_scale smallint not null default 0 check (vwap_scale between 0 and 9),
    drop constraint series_feed_symbol_price_scale_volume_scale_key,
    add constraint series_scales_key unique (feed, symbol, price_scale, volume_scale, vwap_scale);
alter table marketdata.feeds add column vwap_ticks boolean not null default false;
