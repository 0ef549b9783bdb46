-- grain: one row a series of the asked symbols of one feed; key series_id.
select
    series_id,
    symbol,
    price_scale,
    volume_scale,
    vwap_scale
from marketdata.series
where feed = %(feed)s
  and (%(symbols)s::text[] is null or symbol = any(%(symbols)s::text[]))
