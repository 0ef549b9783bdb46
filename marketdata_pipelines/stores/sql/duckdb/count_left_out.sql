-- grain: one row: how many symbols (or owners) x labels there are, do not score enough, and were not scored.
select
    count(*) as asked,
    count(*) filter (where graded.score is null or graded.score < $least) as left_out,
    count(*) filter (where graded.score is null) as unscored
from (select distinct owner, label from bars) as pairs
left join graded using (owner, label)
