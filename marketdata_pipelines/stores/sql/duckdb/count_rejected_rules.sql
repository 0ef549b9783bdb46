-- grain: one row a combination of rules of rejected rows, with one of its places; rows that a later file replaced are none.
select
    rules,
    count(*) as "rows",
    min(file) as file,
    arg_min(line, (file, "row")) as line,
    arg_min(symbol, (file, "row")) as symbol
from rejected_bars
where rules not in ('superseded', 'deleted')
  and ($symbols is null or list_contains($symbols, symbol))
  and ($start_ts is null or ts is null or ts >= $start_ts)
  and ($end_ts is null or ts is null or ts < $end_ts)
group by rules
order by rules
