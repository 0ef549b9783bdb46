-- grain: the place of each bar whose symbol (or owner) and label score enough, in order; what nobody scored does not.
select bars.place
from bars
join graded using (owner, label)
where graded.score >= $least
order by bars.place
