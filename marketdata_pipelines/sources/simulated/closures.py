"""Instants at which a feed's market is closed, for rows that should not be there."""

from datetime import date, timedelta

import numpy as np

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session, local_us, midnight_us

_REACH_DAYS = 6
_FEWEST_MINUTES_APART = 30
_WANTED = 12


def closed_instants(feed: Feed, session: Session) -> tuple[int, ...]:
    """Opens (UTC microseconds) on the feed's interval whose bars touch no session and no extended hours.

    The nearest to the session's open come first; empty when the market never closes. For 1d they are dates.
    """
    near = timedelta(days=_REACH_DAYS)
    sessions = feed_calendar(feed).sessions(session.date - near, session.date + near)
    if not feed.interval.is_intraday:
        open_dates = {midnight_us(one.date) for one in sessions}
        home, step = midnight_us(session.date), DAY_US
        taken = [(day, day + DAY_US) for day in sorted(open_dates)]
    else:
        width = feed.interval.us
        step = -(-_FEWEST_MINUTES_APART * MINUTE_US // width) * width
        home = session.open // width * width
        # A bar that begins at the close may be the closing auction's.
        taken = [(begins, ends + width) for begins, ends in (_hours(feed, one) for one in sessions)]
    reach = _REACH_DAYS * DAY_US // step
    offsets = np.arange(-reach + 1, reach)
    opens = home + offsets[np.argsort(np.abs(offsets), kind="stable")] * step
    free = np.ones(len(opens), bool)
    for begins, ends in taken:
        free &= (opens + feed.interval.us <= begins) | (opens >= ends)
    return tuple(opens[free][:_WANTED].tolist())


def _hours(feed: Feed, session: Session) -> tuple[int, int]:
    """From the first to the last instant of a session, extended hours and breaks included."""
    if feed.extended_hours is None:
        return session.open, session.close
    zone, (first, last) = feed_calendar(feed).zone, feed.extended_hours
    day: date = session.date
    return min(session.open, local_us(day, first, zone)), max(session.close, local_us(day, last, zone))
