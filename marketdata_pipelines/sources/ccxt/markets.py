"""The list of a venue's markets, which ccxt needs before it can ask for candles: loaded once a process."""

import difflib
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Any

from marketdata_pipelines.domain.feeds import SourceSpec
from marketdata_pipelines.errors import SourceError, SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.ccxt.answers import answered, asked
from marketdata_pipelines.sources.pulled.protocol import Caller, Clock

_Key = tuple[str | None, str | None, tuple[tuple[str, str], ...], bool]
# Clients that have their markets, for the other clients of this process.
_loaded: dict[_Key, Any] = {}
_loading = Lock()


def need_markets(client: Any, source: SourceSpec, caller: Caller, clock: Clock) -> None:
    """Give the client its venue's markets, from the venue only if no client of this process has them.

    A venue takes one to a few requests for them; each is a call of its own through `caller`.
    """
    derivatives = any(":" in symbol for symbol in source.symbols)
    key = (source.venue, source.url, source.options, derivatives)
    with _loading:
        known = _loaded.get(key)
        if known is None:
            _load(client, caller, clock)
            _loaded[key] = client
        elif known is not client and client.markets is None:
            client.set_markets_from_exchange(known)


def check_symbols(client: Any, symbols: Sequence[str]) -> None:
    """Errors: SourceRejected naming the first symbol that is no market of the venue, and what it may have meant."""
    known = client.markets or {}
    ids = client.markets_by_id or {}
    for symbol in symbols:
        if symbol in known or symbol in ids:
            continue
        near = difflib.get_close_matches(symbol.upper(), [str(name) for name in known], n=3)
        meant = f"did you mean {' or '.join(near)}?" if near else "symbols are written like BTC/USDT"
        raise SourceRejected(f"{client.id} has no market {symbol!r}; {meant}", rule="symbol_unknown")


def _load(client: Any, caller: Caller, clock: Clock) -> None:
    plain = client.fetch

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        request = partial(plain, url, method, headers, body)
        return caller(lambda: answered(client, request, clock), f"markets of {client.id} ({asked(client, url)})")

    client.fetch = fetch
    try:
        answered(client, client.load_markets, clock)
        if not client.markets:
            raise SourceUnavailable(f"{client.id} gave an empty list of markets; run again")
    except SourceError:
        client.markets = None
        raise
    finally:
        client.fetch = plain
