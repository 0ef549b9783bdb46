"""A view over a range: its partitions' states, finished by one query (docs/decisions/0004)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.bars import rows_in_range
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import RowSource
from marketdata_pipelines.stores.lake.duck import connect, query_text
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.domain.symbology import Resolver
    from marketdata_pipelines.serving.adjusting import Adjusting

# Views that are finished from another table's rows than their own.
_SOURCES = {t.HOURLY_VOLUME: t.VALIDATED_BARS, t.SYMBOL_PERFORMANCE: t.DAILY_SUMMARY}


@dataclass(frozen=True, slots=True)
class ViewQuestion:
    """What is asked of a view. `returns` is how returns are adjusted; `prices`, what is shown: None leaves them raw.

    `min_quality` is the least score of the sessions that count: others are as if they were not there.
    """

    view: str
    wanted: TimeRange
    resolver: "Resolver | None" = None
    returns: "Adjusting | None" = None
    prices: "Adjusting | None" = None
    min_quality: float | None = None


def answer_view(lake: Lake, source: RowSource, question: ViewQuestion) -> pa.Table:
    """The rows of a view over session dates, both ends included.

    Errors: SettingsInvalid for a name that is no view of the feed; PartitionMissing when nothing is there.
    """
    feed, view, wanted = source.feed, question.view, question.wanted
    check_view(feed, view)
    table = _SOURCES.get(view, view)
    # Its returns need the close before the range.
    history = wanted if view != t.DAILY_SUMMARY else TimeRange(end_date=wanted.end_date)
    rows = rows_in_range(source, table, history, period_of(feed.partition))
    parameters: dict[str, object] = {"start_date": wanted.start_date, "end_date": wanted.end_date}
    if view == t.HOURLY_VOLUME:
        parameters["zone"] = _zone(feed)
    with connect() as connection:
        relation = rows.relation(connection, lake, "rows")
        notes: list[str] = []
        if question.min_quality is not None:
            from marketdata_pipelines.serving.quality_filter import good_sessions

            relation, notes = good_sessions(connection, lake, feed, wanted, relation, question.min_quality)
        if table == t.DAILY_SUMMARY:
            relation, told = _sessions(connection, lake, source, question, relation)
            notes += told
        connection.execute(f'create temp view "{table}" as {relation}')
        found = connection.sql(query_text(f"select_{view}"), params=parameters).to_arrow_table()
    return with_notes(found, notes)


def check_view(feed: Feed, view: str) -> None:
    """Errors: SettingsInvalid for a name that is no view of the feed."""
    names = [table_set.name for table_set in t.feed_tables(feed) if table_set.name in t.VIEWS]
    if view not in names:
        raise SettingsInvalid(f"{view!r} is no view of {feed.name}; there: {', '.join(names)}")


def _sessions(
    connection: duckdb.DuckDBPyConnection, lake: Lake, source: RowSource, question: ViewQuestion, relation: str
) -> tuple[str, list[str]]:
    """Daily summaries with what returns are taken from: `return_open`, `return_close`, and `owner`, whose they are."""
    if question.resolver is None and question.returns is None and question.prices is None:
        return (
            f'select *, "open" as return_open, "close" as return_close, symbol::varchar as owner from ({relation})',
            [],
        )
    from marketdata_pipelines.serving.adjusting import adjust_answer
    from marketdata_pipelines.serving.symbols import INSTRUMENT_ID, owners, with_instrument_ids

    rows = connection.sql(relation).to_arrow_table()
    names = ["vwap" if name == "vwap_typ" else name for name in rows.column_names]
    rows = rows.rename_columns(names)
    if question.resolver is not None:
        rows = with_instrument_ids(rows, question.resolver)
    notes: list[str] = []
    returns, shown = rows, rows
    if question.returns is not None:
        returns, notes = adjust_answer(lake, source, question.returns, rows)
    if question.prices is not None:
        shown, notes = adjust_answer(lake, source, question.prices, rows)
    shown = shown.append_column("return_open", returns["open"]).append_column("return_close", returns["close"])
    if question.resolver is None:
        owner = rows["symbol"]
    else:
        owner = owners(rows, question.resolver)
        shown = shown.drop_columns([INSTRUMENT_ID])
    shown = shown.append_column("owner", owner)
    connection.register("summaries", shown.rename_columns(_stored_names(shown)))
    return 'select * replace (high - low as "range") from summaries', notes


def _stored_names(table: pa.Table) -> list[str]:
    """Column names as the stored view has them."""
    return ["vwap_typ" if name == "vwap" else name for name in table.column_names]


def _zone(feed: Feed) -> str:
    from marketdata_pipelines.domain.session_grid import feed_calendar

    return feed_calendar(feed).zone
