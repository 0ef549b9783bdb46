"""Which partitions must be walked again when some base partitions changed."""

from collections.abc import Iterable
from datetime import timedelta

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span, period_of
from marketdata_pipelines.domain.tables import feed_tables


def affected_partitions(feed: Feed, changed: Iterable[str]) -> dict[Period, list[str]]:
    """Partitions to walk by period, base period first, each sorted.

    A changed base partition touches the weeks and months its days lie in.
    """
    base = period_of(feed.partition)
    keys = sorted(set(changed))
    affected = {base: keys}
    for period in (Period.WEEK, Period.MONTH):
        if any(table_set.period is period for table_set in feed_tables(feed)) and period is not base:
            affected[period] = sorted({key for base_key in keys for key in _keys_of(base_key, base, period)})
    return affected


def _keys_of(key: str, base: Period, period: Period) -> set[str]:
    start, end = partition_span(key, base)
    days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
    return {partition_key(day, period) for day in days}
