-- grain: one row: the trading segments of the regular sessions of a feed by clock_start, as packed columns (see
-- read_packed_bars).
select
    string_agg(date_send(session_date), ''::bytea order by clock_start) as session_date,
    string_agg(timestamp_send(clock_start), ''::bytea order by clock_start) as clock_start,
    string_agg(timestamptz_send(ts_start), ''::bytea order by clock_start) as ts_start,
    string_agg(timestamptz_send(ts_end), ''::bytea order by clock_start) as ts_end
from marketdata.session_clock
where feed = %(feed)s
  and regular
  and (%(first_day)s::date is null or session_date >= %(first_day)s::date)
  and (%(last_day)s::date is null or session_date <= %(last_day)s::date)
