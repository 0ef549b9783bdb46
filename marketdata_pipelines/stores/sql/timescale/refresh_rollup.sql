-- Makes the buckets of [first, last) anew; forced, since rows that were truncated away leave no note of themselves.
call refresh_continuous_aggregate({rollup}, {first}, {last}, force => true)
