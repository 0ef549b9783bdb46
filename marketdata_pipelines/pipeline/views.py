"""The views of a partition: which of `domain.views` makes which."""

from collections.abc import Sequence

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain import views
from marketdata_pipelines.domain.sessions import Session


def build_view(view: str, bars: pa.Table, daily: pa.Table, sessions: Sequence[Session], zone: str) -> pa.Table:
    """The rows of a view. `bars` has BAR_SCHEMA, `daily` AGGREGATE_SCHEMA (1d bars), both of one partition.

    `zone`: whose hours of the day are told apart.
    """
    makers = {
        t.DAILY_SUMMARY: lambda: views.daily_summary(daily, sessions),
        t.SYMBOL_PERFORMANCE: lambda: views.symbol_performance(daily),
        t.TOP_VOLUME: lambda: views.top_volume(daily),
        t.LATEST_BARS: lambda: views.latest_bars(bars),
        t.HOURLY_VOLUME: lambda: views.hourly_volume(bars, zone),
    }
    return makers[view]()
