-- grain: one row a symbol over all of its sessions ($by = 'symbol'), or a session over the given symbols ('day').
-- Means are weighted by the bars there was room for, as those of a feed are.
select
    case when $by = 'symbol' then symbol end as symbol,
    case when $by = 'day' then session_date end as session_date,
    count(*) as sessions,
    sum(completeness * weight) / sum(weight) filter (where completeness is not null) as completeness,
    sum(accuracy * weight) / sum(weight) filter (where accuracy is not null) as accuracy,
    sum(consistency * weight) / sum(weight) filter (where consistency is not null) as consistency,
    sum(validity * weight) / sum(weight) filter (where validity is not null) as validity,
    sum(timeliness * weight) / sum(weight) filter (where timeliness is not null) as timeliness,
    sum(uniqueness * weight) / sum(weight) filter (where uniqueness is not null) as uniqueness,
    sum(score * weight) / sum(weight) filter (where score is not null) as score,
    min(score) as worst,
    arg_min(coalesce(symbol, ''), score) as worst_symbol,
    arg_min(session_date, score) as worst_session,
    sum(bars)::bigint as bars,
    sum(expected)::bigint as expected,
    sum(raw_rows)::bigint as raw_rows,
    sum(rejected_rows)::bigint as rejected_rows,
    sum(findings)::bigint as findings,
    bool_or(blocked) as blocked
from (
    select
        symbol, session_date, completeness, accuracy, consistency, validity, timeliness, uniqueness, score, bars,
        expected, raw_rows, rejected_rows, findings, blocked, greatest(coalesce(expected, 0), coalesce(bars, 0), 1) as weight
    from scores
)
group by 1, 2
order by 2, 1
