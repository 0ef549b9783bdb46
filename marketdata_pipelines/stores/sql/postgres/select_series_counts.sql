-- One row a series with bars in [first, last): how many.
select b.series_id, count(*)
from {schema}.bars b
where b.st >= %(first)s and b.st < %(last)s
group by b.series_id
