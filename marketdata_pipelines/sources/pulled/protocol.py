"""What a vendor of history is to the pipeline: asked for a window, it gives pages, each with the answer it came in.

Shapes only. Limits, retries and the breaker are around every vendor call (see `caller`), never inside a vendor's
own code; what becomes of the bars is decided in `pipeline.pull`.

A vendor's module has one way in, `open_source(feed, clock) -> HistoricalSource`, which makes no vendor call. It reads
what it needs from `feed.source` and takes a secret from the environment variable that `feed.source.key_env` names.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.errors import SourceUnavailable

T = TypeVar("T")
# Now, UTC microseconds.
Clock = Callable[[], int]

# `symbol` is the asked name and `ts` the OPEN, UTC (a label at midnight UTC of the session date from 1d on); neither is
# ever null. volume, vwap, trade_count: null = unknown. `original` is the row as the vendor gave it, for the record of
# rejected rows. Prices may be null or impossible: the row rules judge them, as they judge a file's.
PULLED_BAR_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ts", TS),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trade_count", pa.int64()),
        ("original", pa.string()),
    ]
)


class Throttled(SourceUnavailable):
    """The vendor asked us to wait (429, or 503 with Retry-After); None: it did not say how long."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds

    def __reduce__(self) -> tuple[object, ...]:
        return (Throttled, (str(self), self.retry_after_seconds))


@dataclass(frozen=True, slots=True)
class Payload:
    """One vendor answer, kept verbatim.

    `content` is the body as received, transfer encoding undone. `request` is what was asked, without secrets, such
    as `GET /v1/bars?symbols=A&start=…`. `received_us` is taken BEFORE the request was sent: a bar that ends later was
    unfinished when the vendor answered.
    """

    content: bytes
    request: str
    received_us: int


@dataclass(frozen=True, slots=True)
class Page:
    """One parsed answer: `bars` has PULLED_BAR_SCHEMA, in the vendor's order, repeats and all."""

    payload: Payload
    bars: pa.Table


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """How many vendor calls a window takes; `note` says what the number leaves out."""

    calls: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `calls` in any span of `per_seconds`."""

    calls: int
    per_seconds: float


class Caller(Protocol):
    """Makes ONE vendor call within the provider's limits, with retries and the circuit breaker around it.

    `call` makes one request and reads its whole answer. It raises `Throttled` or another SourceUnavailable for what
    may pass (time-outs, 5xx, a connection reset, a truncated or unreadable body): these are tried again. Anything
    else, such as SourceRejected (4xx, an unknown symbol), goes straight through. So parse the answer inside `call`.
    """

    def __call__(self, call: Callable[[], T], what: str) -> T:
        """`what` names the call in messages and logs, without secrets: `bars of A from 2024-03-08`."""
        ...


class HistoricalSource(Protocol):
    """A vendor's history of one feed."""

    @property
    def provider(self) -> str:
        """Whose limits, breaker and origins these are: `exchange`, `ccxt:binance`, `yfinance`."""
        ...

    @property
    def complete(self) -> bool:
        """Whether an answer without error speaks for its whole window: bars it leaves out do not exist."""
        ...

    @property
    def limit(self) -> RateLimit:
        """What the vendor allows; `calls` and `per_seconds` of the feed replace it."""
        ...

    @property
    def window_us(self) -> int:
        """The span one `historical` call is sensibly asked for: about a page of each symbol, or the vendor's limit.

        The pipeline joins neighbouring partitions up to it. One partition is asked for whole even when it is longer.
        """
        ...

    def historical(self, symbols: Sequence[str], start_us: int, end_us: int, caller: Caller) -> Iterator[Page]:
        """Bars with start_us <= ts < end_us, page by page; every vendor call goes through `caller`.

        May bring more, repeat rows and overlap pages: the pipeline cuts and de-duplicates. Ending without an error
        means that the vendor has answered for the whole window.

        Errors: SourceRejected where asking again gives the same; SourceUnavailable (from `caller`) after all tries.
        """
        ...

    def calls(self, symbols: Sequence[str], start_us: int, end_us: int) -> CallEstimate:
        """About how many calls `historical` would make; without making any. For the dry run."""
        ...
