"""History of Yahoo Finance by yfinance's own client: `Ticker.history`, a request a span of a symbol.

What Yahoo keeps is in `reach`, how its requests are sent and its refusals taken in `session`.
"""

import importlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, SECOND_US
from marketdata_pipelines.errors import SettingsInvalid, SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import Caller, CallEstimate, Clock, Page, RateLimit
from marketdata_pipelines.sources.yfinance.reach import Reach, check_reach, reach_of, spans
from marketdata_pipelines.sources.yfinance.session import ChartSession, NothingThere
from marketdata_pipelines.sources.yfinance.wire import frame_bars, no_bars

logger = logging.getLogger(__name__)

# Yahoo publishes no limit; 2,000 requests an hour are said to be too many.
_LIMIT = RateLimit(calls=2, per_seconds=4.0)
_NOTE = "prices are adjusted for splits up to the day they are pulled; three more calls for cookies a process"
# A daily bar is stamped with its session's open, which may be on the day before or after its date in UTC.
_DATE_MARGIN_US = DAY_US + SECOND_US
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# yfinance has one session and one configuration for the whole process.
_one_at_a_time = Lock()


def open_source(feed: Feed, clock: Clock) -> "YahooHistory":
    """The history of a feed whose source is of kind yfinance; makes no call.

    Errors: SettingsInvalid when yfinance is not installed or Yahoo has no such interval.
    """
    reach = reach_of(feed.interval)
    _library("yfinance")
    return YahooHistory(feed, reach, ChartSession(feed.source, clock), clock)


@dataclass(frozen=True, slots=True)
class YahooHistory:
    """Bars of Yahoo's chart.

    Not as traded: Yahoo divides the prices (and multiplies the volumes) of all earlier bars by every later split, in
    what yfinance gives with auto_adjust off too. This cannot be undone exactly: the answer lists the splits of its own
    window only, and the adjusted prices are rounded. So bars are stored as Yahoo gave them on the day of the pull, and
    those pulled before a split have another basis than those pulled after it: pull the feed again after a split.
    Dividends change nothing.

    Not `complete`: Yahoo leaves out bars that it had, or will have, and delays some exchanges by a quarter of an hour.
    So a bar once stored is never deleted because Yahoo leaves it out.

    Volumes outside the regular session are 0 at Yahoo, whatever was traded; those of currencies are unknown.
    """

    feed: Feed
    reach: Reach
    session: ChartSession
    clock: Clock

    @property
    def provider(self) -> str:
        """One address, one limit."""
        return "yfinance"

    @property
    def complete(self) -> bool:
        """Never: see the class."""
        return False

    @property
    def limit(self) -> RateLimit:
        """What goes well; Yahoo publishes no limit."""
        return _LIMIT

    @property
    def window_us(self) -> int:
        """What one request may ask for."""
        return self.reach.span_days * DAY_US

    def historical(self, symbols: Sequence[str], start_us: int, end_us: int, caller: Caller) -> Iterator[Page]:
        """The bars of each symbol in turn.

        Errors: SourceRejected for a symbol Yahoo does not know, or a window it does not keep any more.
        """
        now_us = self.clock()
        # A date's bar may be there before the date has begun in UTC.
        end_us = min(end_us, now_us + (0 if self.feed.interval.is_intraday else DAY_US))
        if end_us <= start_us:
            return
        check_reach(self.reach, start_us, now_us)
        for symbol in symbols:
            for begins, ends in spans(self.reach, start_us, end_us):
                yield self._page(symbol, begins, ends, caller)

    def calls(self, symbols: Sequence[str], start_us: int, end_us: int) -> CallEstimate:
        """A call for each span of each symbol."""
        return CallEstimate(len(symbols) * len(spans(self.reach, start_us, end_us)), _NOTE)

    def _page(self, symbol: str, start_us: int, end_us: int, caller: Caller) -> Page:
        what = f"Yahoo's bars of {symbol} from {_moment(start_us):%Y-%m-%d %H:%MZ}"
        with _one_at_a_time, self.session.using(caller, what):
            try:
                frame = self._history(symbol, start_us, end_us)
            except NothingThere:
                frame = None
            payload, chart = self.session.last
        if chart.splits:
            logger.warning("%s: a split in this window; earlier prices were changed by it (see the docs)", what)
        bars = no_bars() if frame is None else frame_bars(frame, symbol, self.feed.interval, chart)
        return Page(payload, bars)

    def _history(self, symbol: str, start_us: int, end_us: int) -> Any:
        margin_us = 0 if self.feed.interval.is_intraday else _DATE_MARGIN_US
        yfinance = _library("yfinance")
        # It would answer from memory what it was asked before, and we ask again to see what has changed.
        _library("yfinance.data").YfData.cache_get.cache_clear()
        hides = yfinance.config.debug.hide_exceptions
        yfinance.config.debug.hide_exceptions = False
        try:
            ticker = yfinance.Ticker(symbol, session=self.session.session)
            # It would ask Yahoo for the exchange's zone, which it needs for times without one only.
            ticker._tz = "UTC"
            with warnings.catch_warnings():
                # It calls what newer pandas deprecates: nothing its users can mend.
                warnings.simplefilter("ignore")
                return ticker.history(
                    start=_moment(start_us - margin_us),
                    end=_moment(end_us + margin_us),
                    interval=self.reach.name,
                    prepost=self.feed.extended_hours is not None,
                    auto_adjust=False,
                    actions=False,
                    keepna=True,
                )
        except (yfinance.exceptions.YFException, *_UNREADABLE) as error:
            detail = f"{type(error).__name__}: {error}"[:300]
            raise SourceUnavailable(f"yfinance cannot read Yahoo's answer for {symbol} ({detail})") from error
        finally:
            yfinance.config.debug.hide_exceptions = hides


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SettingsInvalid(
            "a source of kind yfinance needs the package yfinance; run: pip install 'marketdata-pipelines[yfinance]'"
        ) from error
