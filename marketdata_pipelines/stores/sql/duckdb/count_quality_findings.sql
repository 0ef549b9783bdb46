-- grain: one row a rule and severity; key (rule, severity). Findings that stand only; `first_` is the earliest one.
select
    rule,
    any_value(dimension) as dimension,
    severity,
    count(*) as findings,
    count(distinct symbol) as symbols,
    count(distinct session_date) as sessions,
    coalesce(sum(bars), 0)::bigint as bars,
    first(symbol order by session_date, ts, symbol) as first_symbol,
    first(
        coalesce(strftime(ts, '%Y-%m-%dT%H:%M:%SZ'), session_date::varchar) order by session_date, ts, symbol
    ) as first_at,
    first(message order by session_date, ts, symbol) as first_message,
    first(file order by session_date, ts, symbol) as first_file,
    first(line order by session_date, ts, symbol) as first_line
from findings
where standing
group by rule, severity
order by severity, findings desc, rule
