"""A bar in a vendor's answers: its text there and, where reading them needs no client, their rows read again.

A repair's record is an answer too: it says itself what became of each row, and why.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.repairs.records import REPAIR
from marketdata_pipelines.domain.sessions import date_of_us, to_us
from marketdata_pipelines.errors import SourceError
from marketdata_pipelines.pipeline.answers import gather_answer
from marketdata_pipelines.pipeline.repairs.documents import recorded_bars, recorded_texts
from marketdata_pipelines.pipeline.windows import Window
from marketdata_pipelines.sources.exchange.wire import parse_page
from marketdata_pipelines.stores.lake.catalog import PulledWindow
from marketdata_pipelines.stores.lake.origins import OriginPayload

_EXCHANGE = "exchange"
_PRICES = ("open", "high", "low", "close")
_LONGEST_TEXT = 2_000


def answer_bars(feed: Feed, pulled: PulledWindow, payloads: Sequence[OriginPayload]) -> pa.Table | None:
    """What a window held, read again from the answers (PULLED_BAR_SCHEMA); None where only a vendor's client can.

    Errors: SourceUnavailable when an answer is damaged.
    """
    if pulled.provider == REPAIR:
        return recorded_bars(payloads[0].content)
    if pulled.provider != _EXCHANGE:
        return None
    first, last = date_of_us(pulled.start_us), date_of_us(pulled.end_us - 1)
    window = Window(pulled.partition, pulled.start_us, pulled.end_us, first, last, pulled.settled)
    received_us = min((payload.received_us for payload in payloads), default=0)
    pages = [parse_page(payload.content).bars for payload in payloads]
    return gather_answer(feed, pages, [window], received_us)[0].bars


def answer_text(provider: str, payloads: Sequence[OriginPayload], row: Mapping[str, Any], ts_us: int) -> str | None:
    """The bar as the vendor wrote it, shortened to 2,000 characters; None where it cannot be told.

    Of a bar that came twice the last counts. Elsewhere than at the simulated exchange it is the part of an answer
    with the bar's time and its four prices.
    """
    found = None
    if provider == REPAIR:
        return next(recorded_texts(payloads[0].content, row["symbol"], ts_us), None)
    for payload in payloads:
        texts = _exchange_texts if provider == _EXCHANGE else _matching_texts
        found = next(iter(reversed(list(texts(payload.content, row, ts_us)))), found)
    return found


def _exchange_texts(content: bytes, row: Mapping[str, Any], ts_us: int) -> Iterator[str]:
    try:
        bars = parse_page(content).bars
    except SourceError:
        return
    for bar in bars.to_pylist():
        if bar["symbol"] == row["symbol"] and to_us(bar["ts"]) == ts_us:
            yield str(bar["original"])[:_LONGEST_TEXT]


def _matching_texts(content: bytes, row: Mapping[str, Any], ts_us: int) -> Iterator[str]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    wanted = {float(row[name]) for name in _PRICES if row[name] is not None}
    for record in _records(document):
        values = list(record.values()) if isinstance(record, dict) else record
        if wanted <= _numbers(values) and (isinstance(record, dict) or _has_time(values, ts_us)):
            yield json.dumps(record)[:_LONGEST_TEXT]


def _records(node: Any) -> Iterator[list[Any] | dict[str, Any]]:
    """Everything in a document that may be a bar: records, arrays, and the rows of columns of lists."""
    if isinstance(node, list):
        plain = node and not any(isinstance(item, list | dict) for item in node)
        if plain:
            yield node
        children: Iterable[Any] = () if plain else node
    elif isinstance(node, dict):
        columns = {name: node[name] for name in _PRICES if isinstance(node.get(name), list)}
        if len(columns) == len(_PRICES):
            lists = {name: column for name, column in node.items() if isinstance(column, list)}
            for place in range(min(len(column) for column in lists.values())):
                yield {name: column[place] for name, column in lists.items()}
            return
        if not any(isinstance(item, list | dict) for item in node.values()):
            yield node
        children = node.values()
    else:
        return
    for child in children:
        yield from _records(child)


def _numbers(values: Iterable[Any]) -> set[float]:
    found = set()
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            number = float(value)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number):
            found.add(number)
    return found


def _has_time(values: Iterable[Any], ts_us: int) -> bool:
    """Whether an array has the instant: in seconds, milli-, micro- or nanoseconds, or as ISO text."""
    written = {ts_us / 1_000_000, ts_us / 1_000, float(ts_us), float(ts_us) * 1_000}
    numbers = _numbers(values)
    return bool(numbers & written) or any(_instant(value) == ts_us for value in values if isinstance(value, str))


def _instant(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return to_us(moment) if moment.tzinfo is not None else None
