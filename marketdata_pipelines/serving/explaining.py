"""Receipts asked for in words: times as texts or dates in, plain documents out."""

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.sessions import midnight_us, to_us
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.receipts.explaining import LISTED, Explainer
from marketdata_pipelines.pipeline.receipts.records import Receipt, Verification
from marketdata_pipelines.serving.ranges import Moment, instant_us
from marketdata_pipelines.stores.lake.lake import Lake

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds in records are times in documents.
_INSTANTS = {"as_of_us": "as_of", "bucket_us": "ts", "first_us": "first_ts", "last_us": "last_ts"}


def explain_bar(
    lake: Lake,
    feed: Feed,
    symbol: str,
    ts: Moment,
    timeframe: str | None = None,
    as_of: Moment = None,
    *,
    listed: int | None = LISTED,
) -> Receipt:
    """The receipt of one bar, as stored or as known at an instant (see `bar_instant_us`, `ranges.instant_us`).

    Errors: SettingsInvalid for a time or timeframe that cannot be; PartitionMissing naming the nearest bars.
    """
    at_us = bar_instant_us(ts, timeframe or feed.interval.name)
    return Explainer(lake, feed).explain(symbol, at_us, timeframe, instant_us(as_of), listed=listed)


def explain_and_verify(
    lake: Lake,
    feed: Feed,
    symbol: str,
    ts: Moment,
    timeframe: str | None = None,
    as_of: Moment = None,
    *,
    listed: int | None = LISTED,
) -> tuple[Receipt, Verification]:
    """Like `explain_bar`, with everything derived and read again; source lines are fetched however long it takes."""
    explainer = Explainer(lake, feed)
    at_us = bar_instant_us(ts, timeframe or feed.interval.name)
    receipt = explainer.explain(symbol, at_us, timeframe, instant_us(as_of), listed=listed, patient=True)
    return receipt, explainer.verify(receipt)


def bar_instant_us(value: Moment, timeframe: str) -> int:
    """The instant a question about a bar means, UTC microseconds; without a zone it is UTC.

    Errors: SettingsInvalid for a text that is no time, and for a date where bars are shorter than a day.
    """
    moment = _read(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    if moment is None:
        raise SettingsInvalid("which bar? give its open, such as 2024-03-08T14:30Z, or a date for 1d and coarser")
    if parse_interval(timeframe).is_intraday:
        raise SettingsInvalid(f"{moment} is a date; {timeframe} bars are asked for by a time such as {moment}T14:30Z")
    return midnight_us(moment)


def receipt_document(receipt: Receipt, verification: Verification | None = None) -> dict[str, Any]:
    """A receipt as JSON's types; times are ISO 8601 with Z."""
    document = _plain(receipt)
    if verification is not None:
        document["verification"] = {"equal": verification.equal, **_plain(verification)}
    return dict(document)


def _read(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsInvalid(f"{text!r} is no time (2024-03-08T14:30Z) or date (2024-03-08)") from error


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        found = {}
        for field in fields(value):
            held = getattr(value, field.name)
            if field.name in _INSTANTS:
                found[_INSTANTS[field.name]] = None if held is None else _text(_EPOCH + timedelta(microseconds=held))
            else:
                found[field.name] = _plain(held)
        return found
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
