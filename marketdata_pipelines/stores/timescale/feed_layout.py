"""How a feed lies in the SQL store: ticks or doubles, chunk width, and whether what is there still fits the feed."""

from dataclasses import dataclass, replace
from typing import Literal

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.templates import statement

Numbers = Literal["ticks", "double"]
_TYPES = {"ticks": sql.SQL("bigint"), "double": sql.SQL("double precision")}
_UNKNOWN = {"ticks": sql.SQL("'-9223372036854775808'::bigint"), "double": sql.SQL("'NaN'::float8")}
_TAKEN = ("public", "marketdata", "information_schema")
_LONGEST_NAME = 48


@dataclass(frozen=True, slots=True)
class FeedLayout:
    """One row of marketdata.feeds. `definition` is the feed's version, interval, anchor and partitioning.

    `vwap_ticks`: the feed's rollups know vwaps in ticks (see `vwaps`); those of feeds made by older programs do not.
    """

    feed: str
    numbers: Numbers
    chunk_days: int
    definition: str
    vwap_ticks: bool

    @property
    def number_type(self) -> sql.SQL:
        """The SQL type of prices and volumes."""
        return _TYPES[self.numbers]

    @property
    def unknown(self) -> sql.SQL:
        """What stands for an unknown volume where rows are digested."""
        return _UNKNOWN[self.numbers]

    def holds(self, feed: Feed) -> bool:
        """Whether rows of `feed` can lie among those that are there."""
        return self.definition.split("/")[1:] == definition_of(feed).split("/")[1:]


def definition_of(feed: Feed) -> str:
    """What the layout of a feed rests on, its version first."""
    return f"{feed.version}/{feed.interval}/{feed.anchor}/{feed.partition}"


def read_layout(connection: Connection, feed_name: str) -> FeedLayout | None:
    """The feed's layout; None where the feed was never published."""
    row = connection.execute(
        "select feed, layout, chunk_days, definition, vwap_ticks from marketdata.feeds where feed = %s", [feed_name]
    ).fetchone()
    return None if row is None else FeedLayout(*row)


def write_layout(connection: Connection, feed: Feed, layout: FeedLayout) -> FeedLayout:
    """Keep the layout, with the feed's definition of now."""
    layout = replace(layout, definition=definition_of(feed))
    values = {
        "feed": feed.name,
        "layout": layout.numbers,
        "chunk_days": layout.chunk_days,
        "definition": layout.definition,
        # A month has no width; it is told as its longest.
        "interval_us": feed.interval.us or 31 * DAY_US,
        "vwap_ticks": layout.vwap_ticks,
    }
    connection.execute(statement("postgres", "upsert_feed"), values)
    return layout


def check_name(feed_name: str) -> None:
    """Errors: StoreError where the feed's name cannot be that of its schema."""
    if feed_name in _TAKEN or feed_name.startswith(("pg_", "_timescaledb", "timescaledb")):
        raise StoreError(
            f"the feed {feed_name} cannot be published: its schema would be {feed_name}, which the server or the store "
            "has for itself; rename the feed in feeds.yaml"
        )
    if len(feed_name) > _LONGEST_NAME:
        raise StoreError(
            f"the feed {feed_name} cannot be published: a schema's name has at most {_LONGEST_NAME} characters; "
            "rename the feed in feeds.yaml"
        )
