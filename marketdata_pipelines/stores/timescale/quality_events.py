"""The lake's log of quality events in the SQL store: only ever added to, each event once, known by its number.

What the events say is in `domain.quality.events`.
"""

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.events import QUALITY_EVENT_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.copying import copy_into
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.templates import statement

_IS_HYPERTABLE = (
    "select exists (select from timescaledb_information.hypertables"
    " where hypertable_schema = 'marketdata' and hypertable_name = 'quality_events')"
)


def newest_event(connection: Connection, feed_name: str) -> int:
    """The number of the feed's newest event in the store; 0 where there is none."""
    row = connection.execute(
        "select coalesce(max(seq), 0) from marketdata.quality_events where feed = %s", [feed_name]
    ).fetchone()
    return int(row[0]) if row else 0


def append_events(connection: Connection, feed_name: str, events: pa.Table, *, is_timescale: bool) -> int:
    """Add the feed's events that are newer than the newest in the store, in the caller's transaction; how many.

    Shape:  QUALITY_EVENT_SCHEMA; events of other feeds are left out. One writer at a time (see `locks`).
    """
    if events.schema != QUALITY_EVENT_SCHEMA:
        raise SchemaMismatch(f"quality events of {feed_name} have other columns than the lake's log; give them as read")
    if is_timescale:
        _make_hypertable(connection)
    newest = newest_event(connection, feed_name)
    fresh = events.filter((pc.field("feed") == feed_name) & (pc.field("seq") > newest))
    if not fresh.num_rows:
        return 0
    return copy_into(connection, "marketdata", "quality_events", QUALITY_EVENT_SCHEMA.names, fresh)


def _make_hypertable(connection: Connection) -> None:
    row = connection.execute(_IS_HYPERTABLE).fetchone()
    if row != (True,):
        # Others may be making the same; asked again by the statement itself.
        connection.execute("lock table marketdata.quality_events in access exclusive mode")
        connection.execute(statement("timescale", "create_events_hypertable"))
