-- grain: one row a symbol and session, and with symbol null one a session as a whole; key (session_date, symbol).
select
    symbol::varchar as symbol,
    session_date,
    completeness,
    accuracy,
    consistency,
    validity,
    timeliness,
    uniqueness,
    score,
    quality,
    grade,
    bars,
    expected,
    raw_rows,
    rejected_rows,
    findings,
    blocked
from quality_scores
where ($start_date is null or session_date >= $start_date)
  and ($end_date is null or session_date <= $end_date)
  and ($symbols is null or list_contains($symbols, symbol::varchar))
order by session_date, symbol nulls first
