"""History of the venues ccxt knows, by ccxt's own client: `fetch_ohlcv`, page by page.

Paging and what a venue keeps are decided here; how its client is opened is `client`, what its answers mean `answers`.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.ccxt.answers import answered, asked, body, take_whole_answers
from marketdata_pipelines.sources.ccxt.client import open_client, page_rows, timeframe_of, venue_limit
from marketdata_pipelines.sources.ccxt.markets import check_symbols, need_markets
from marketdata_pipelines.sources.ccxt.wire import candle_bars, open_times_ms
from marketdata_pipelines.sources.pulled.protocol import Caller, CallEstimate, Clock, Page, Payload, RateLimit

logger = logging.getLogger(__name__)

# The shortest month: steps by it never jump over a candle.
_MONTH_US = 28 * DAY_US
_SECOND_MS = 1000
# Venues that answer with their newest candles whatever is asked, and have no older ones.
_NEWEST_ONLY = {"kraken": 720}
_MARKETS_NOTE = "and one to three calls for the venue's list of markets, once a process"


def open_source(feed: Feed, clock: Clock) -> "CcxtHistory":
    """The history of a feed whose source is of kind ccxt; makes no call.

    Errors: SettingsInvalid when ccxt is not installed, or the venue or its timeframe is unknown.
    """
    client = open_client(feed)
    take_whole_answers(client)
    return CcxtHistory(feed, client, timeframe_of(client, feed.interval), clock)


@dataclass(frozen=True, slots=True)
class CcxtHistory:
    """Candles of one venue; `ts` is the open, as ccxt labels them.

    Not `complete`: ccxt's answer does not tell "nothing traded" from "not kept", "not built yet" or "limited for this
    market", and some venues put candles back after maintenance. So a bar once stored is never deleted because the
    venue leaves it out.
    """

    feed: Feed
    client: Any
    timeframe: str
    clock: Clock

    @property
    def provider(self) -> str:
        """One account and address a venue."""
        return f"ccxt:{self.client.id}"

    @property
    def complete(self) -> bool:
        """Never: see the class."""
        return False

    @property
    def limit(self) -> RateLimit:
        """By ccxt's own account of the venue."""
        return venue_limit(self.client, self._rows(self.feed.source.symbols))

    @property
    def window_us(self) -> int:
        """Ten pages of a symbol, at least a day: a kill then loses some seconds of work."""
        return max(DAY_US, 10 * self._rows(self.feed.source.symbols) * self._step_us)

    def historical(self, symbols: Sequence[str], start_us: int, end_us: int, caller: Caller) -> Iterator[Page]:
        """The candles of each symbol in turn.

        Errors: SourceRejected for a symbol the venue has not, or a window it keeps nothing of any more.
        """
        end_us = min(end_us, self.clock())
        if end_us <= start_us or not symbols:
            return
        self._check_kept(start_us, end_us)
        need_markets(self.client, self.feed.source, caller, self.clock)
        check_symbols(self.client, symbols)
        for symbol in symbols:
            yield from self._pages(symbol, start_us // _SECOND_MS, -(-end_us // _SECOND_MS), caller)

    def calls(self, symbols: Sequence[str], start_us: int, end_us: int) -> CallEstimate:
        """A call for each page of each symbol; a market that trades rarely may take more."""
        candles = -(-max(0, min(end_us, self.clock()) - start_us) // self._step_us)
        pages = -(-candles // self._rows(symbols))
        return CallEstimate(pages * len(symbols), _MARKETS_NOTE)

    def _pages(self, symbol: str, start_ms: int, end_ms: int, caller: Caller) -> Iterator[Page]:
        rows, step_ms = self._rows([symbol]), self._step_us // _SECOND_MS
        since = start_ms
        while since < end_ms:
            wanted = min(rows, -(-(end_ms - since) // step_ms))
            ask = partial(self._page, symbol, since, wanted)
            page, opens = caller(ask, f"{self.client.id} candles of {symbol} from {self.client.iso8601(since)}")
            yield page
            if opens and min(opens) >= end_ms:
                # The venue has nothing before: not listed then, or not kept.
                first = self.client.iso8601(min(opens))
                logger.warning("%s has no candles of %s before %s", self.client.id, symbol, first)
                return
            since = _next_since(opens, since, end_ms, wanted * step_ms, step_ms)

    def _page(self, symbol: str, since_ms: int, rows: int) -> tuple[Page, list[int]]:
        received_us = self.clock()
        fetch = partial(self.client.fetch_ohlcv, symbol, self.timeframe, since_ms, rows)
        candles = answered(self.client, fetch, self.clock)
        bars = candle_bars(candles, symbol)
        return Page(Payload(body(self.client), asked(self.client), received_us), bars), open_times_ms(candles)

    def _check_kept(self, start_us: int, end_us: int) -> None:
        kept = _NEWEST_ONLY.get(self.client.id)
        if kept is None:
            return
        earliest_us = self.clock() - kept * self._step_us
        first = f"{self.client.id} keeps the newest {kept} candles of {self.timeframe} only"
        earliest = self.client.iso8601(earliest_us // _SECOND_MS)
        if end_us <= earliest_us:
            raise SourceRejected(
                f"{first}, now those from {earliest} on; ask for later days, or another venue or interval",
                rule="out_of_reach",
            )
        if start_us < earliest_us:
            logger.warning("%s: bars before %s cannot be had of it any more", first, earliest)

    def _rows(self, symbols: Sequence[str]) -> int:
        return page_rows(self.client, symbols, self.feed.source.page_rows)

    @property
    def _step_us(self) -> int:
        return _MONTH_US if self.feed.interval.is_month else self.feed.interval.us


def _next_since(opens: Sequence[int], since_ms: int, end_ms: int, span_ms: int, step_ms: int) -> int:
    """Where the next page begins, always later than this one.

    After an empty page the venue may still have later candles: some look no further than a page's span from where
    they are asked, and markets that trade rarely have holes longer than that.
    """
    ahead = [opened for opened in opens if since_ms <= opened < end_ms]
    return max(ahead) + step_ms if ahead else since_ms + span_ms
