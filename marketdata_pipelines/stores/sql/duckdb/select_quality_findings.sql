-- grain: one row a broken rule at one place; symbol null: the whole session or partition.
select
    rule,
    dimension,
    severity,
    symbol::varchar as symbol,
    session_date,
    ts,
    ts_last,
    bars,
    "value",
    "limit",
    message,
    file,
    line,
    "row",
    part,
    standing
from quality_findings
where ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
  and ($symbols is null or symbol is null or list_contains($symbols, symbol::varchar))
  and ($rule is null or rule = $rule)
  and ($severity is null or severity = $severity)
order by session_date, symbol nulls first, ts nulls first, rule, file, "row"
