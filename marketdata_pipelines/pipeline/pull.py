"""Pulls a vendor's history into raw parts: asks for windows, cuts and de-duplicates what comes, commits by partition.

What a partition's answer is known by is its bars, not the bytes they came in: pages, repeats and retries leave no
trace in it, so the same range pulled twice changes nothing. The bytes are kept as the part's origin.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from marketdata_pipelines.domain.feeds import DataKind, Feed, SourceKind
from marketdata_pipelines.errors import MarketDataError, SettingsInvalid, SourceRejected, SourceUnavailable
from marketdata_pipelines.pipeline.answers import WindowAnswer, gather_answer, window_source
from marketdata_pipelines.pipeline.ingest import (
    FileReport,
    IngestMode,
    IngestRun,
    IngestStatus,
    SourceFile,
    ingest_files,
    known_ingest,
)
from marketdata_pipelines.pipeline.windows import Window, joined_requests, wanted_windows
from marketdata_pipelines.sources.pulled.caller import (
    DEFAULT_TIMEOUT_SECONDS,
    CallRules,
    ProviderCaller,
    feed_limit,
    feed_retries,
)
from marketdata_pipelines.sources.pulled.protocol import CallEstimate, Clock, HistoricalSource, Page
from marketdata_pipelines.stores.lake.catalog import Ingest
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import OriginPayload, write_origin

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PullRun:
    """How a pull runs: its identity, how calls are made, and whether settled sessions are asked for again."""

    run_id: str
    rules: CallRules = field(default_factory=CallRules)
    refetch: bool = False


@dataclass(frozen=True, slots=True)
class PullEstimate:
    """What a pull would take: vendor calls, and the least time its rate limit gives them."""

    requests: int
    calls: int
    seconds: float
    notes: tuple[str, ...]


def open_source(feed: Feed, clock: Clock) -> HistoricalSource:
    """The vendor of a feed; no call is made.

    Errors: SettingsInvalid when the feed asks what the vendor cannot have; SourceUnavailable when its package is not
            installed.
    """
    if feed.data is DataKind.TRADES:
        raise SettingsInvalid(f"{feed.name}: a source of kind {feed.source.kind} has bars, not trades; set data: bars")
    if feed.source.kind is SourceKind.EXCHANGE:
        from marketdata_pipelines.sources.exchange import historical as exchange

        return exchange.open_source(feed, clock)
    if feed.source.kind is SourceKind.CCXT:
        from marketdata_pipelines.sources.ccxt import historical as ccxt

        return ccxt.open_source(feed, clock)
    if feed.source.kind is SourceKind.YFINANCE:
        from marketdata_pipelines.sources.yfinance import historical as yfinance

        return yfinance.open_source(feed, clock)
    raise SettingsInvalid(f"{feed.name} is fed by {feed.source.kind}, which is not pulled from a vendor")


def pull(lake: Lake, feed: Feed, keys: Sequence[str], run: PullRun) -> Iterator[FileReport]:
    """Pull what the vendor has for these partitions; each one's answer is committed before its report is given.

    Bars are taken once they are over, those of a running session too. Stopped at any point, what was committed
    stays, and pulling again goes on behind it.

    Errors: SourceUnavailable or SourceRejected naming the partition that was reached and what to do next.
    """
    source = open_source(feed, run.rules.clock)
    windows = wanted_windows(lake, feed, keys, run.rules.clock(), refetch=run.refetch)
    requests = joined_requests(feed, windows, source.window_us)
    caller = _caller(lake, feed, source, run.rules)
    done = 0
    for request in requests:
        try:
            answers, received_us, pages = _ask(feed, source, request, caller, run.rules.clock)
        except (SourceUnavailable, SourceRejected) as error:
            raise _stopped(feed, source, windows, done, error) from error
        files = [window_source(feed, answer, source) for answer in answers if answer.bars.num_rows or source.complete]
        yield from _take_in(lake, feed, source, files, received_us, pages, run)
        done += len(request)
        logger.info(
            "%s: pulled %s to %s from %s, %d of %d windows, %d calls so far",
            feed.name, request[0].first, request[-1].last, source.provider, done, len(windows), caller.calls,
        )  # fmt: skip


def estimate_pull(lake: Lake, feed: Feed, keys: Sequence[str], clock: Clock, *, refetch: bool = False) -> PullEstimate:
    """What `pull` would take, without any vendor call."""
    source = open_source(feed, clock)
    requests = joined_requests(feed, wanted_windows(lake, feed, keys, clock(), refetch=refetch), source.window_us)
    found = [_estimate(source, feed, request) for request in requests]
    limit = feed_limit(feed.source, source.limit)
    calls = sum(item.calls for item in found)
    seconds = max(calls - limit.calls, 0) * limit.per_seconds / limit.calls
    return PullEstimate(len(requests), calls, seconds, tuple(dict.fromkeys(item.note for item in found if item.note)))


def _estimate(source: HistoricalSource, feed: Feed, request: Sequence[Window]) -> CallEstimate:
    return source.calls(feed.source.symbols, request[0].start_us, request[-1].end_us)


def _caller(lake: Lake, feed: Feed, source: HistoricalSource, rules: CallRules) -> ProviderCaller:
    return ProviderCaller(
        lake.layout.providers,
        source.provider,
        feed_limit(feed.source, source.limit),
        CallRules(
            feed_retries(feed.source, rules.retry),
            rules.breaker, rules.burst, rules.clock, rules.sleep, rules.randomness,
        ),
        timeout_seconds=feed.source.timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
    )  # fmt: skip


def _ask(
    feed: Feed, source: HistoricalSource, request: Sequence[Window], caller: ProviderCaller, clock: Clock
) -> tuple[list[WindowAnswer], int, list[Page]]:
    """The answer to one request by window, the instant it speaks for, and as it came."""
    asked_us = clock()
    pages = list(source.historical(feed.source.symbols, request[0].start_us, request[-1].end_us, caller))
    # All pages together are known as of the first one: what was unfinished then is left to a later pull.
    received_us = min((page.payload.received_us for page in pages), default=asked_us)
    return gather_answer(feed, [page.bars for page in pages], request, received_us), received_us, pages


def _take_in(
    lake: Lake,
    feed: Feed,
    source: HistoricalSource,
    files: Sequence[SourceFile],
    received_us: int,
    pages: Sequence[Page],
    run: PullRun,
) -> Iterator[FileReport]:
    known = [_known(lake, feed, file) for file in files]
    if None not in known:
        # Nothing new was said: the origin of what is known stays the answer that brought it.
        yield from (FileReport(one.file, IngestStatus.KNOWN, one.rows, ()) for one in known if one is not None)
        return
    kept = [OriginPayload(page.payload.content, page.payload.request, page.payload.received_us) for page in pages]
    origin = write_origin(lake.layout, feed.name, source.provider, kept)
    mode = IngestMode.REPLACE_WINDOW if source.complete else IngestMode.UPSERT
    # Known since the vendor was asked: a bar that was over by then is never from the future.
    ingest = IngestRun(run_id=run.run_id, mode=mode, clock=lambda: received_us)
    yield from ingest_files(lake, feed, [replace(file, path=origin) for file in files], ingest)


def _known(lake: Lake, feed: Feed, file: SourceFile) -> Ingest | None:
    known = known_ingest(lake, feed, file)
    return known if known is not None and known.parse_version == feed.parse_version else None


def _stopped(
    feed: Feed, source: HistoricalSource, windows: Sequence[Window], done: int, error: MarketDataError
) -> MarketDataError:
    reached, last = windows[done], windows[-1]
    text = (
        f"{source.provider} stopped at partition {reached.partition} of {feed.name} ({done} of {len(windows)} windows "
        f"are taken in and stay): {error}"
    )
    if isinstance(error, SourceRejected):
        return SourceRejected(f"{text}; mend the feed's source in feeds.yaml", rule=error.rule)
    return SourceUnavailable(
        f"{text}; to go on run: marketdata backfill {feed.name} --start {reached.first} --end {last.last}"
    )
