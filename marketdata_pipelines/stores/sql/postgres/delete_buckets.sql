-- Removes the rows of a window, of some series or of all.
delete from {schema}.{table}
where st >= %(first)s
  and st < %(last)s
  and (%(series)s::int[] is null or series_id = any(%(series)s::int[]))
