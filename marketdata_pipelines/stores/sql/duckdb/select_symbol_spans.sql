-- grain: one row a symbol; key (symbol). First and last regular bar of everything stored, in microseconds since 1970.
select
    symbol::varchar as symbol,
    epoch_us(min(ts)) as first_us,
    epoch_us(max(ts)) as last_us
from validated_bars
where regular
group by 1
order by 1
