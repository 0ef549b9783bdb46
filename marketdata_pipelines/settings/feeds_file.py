"""Reads feeds.yaml into `Feed` records; every complaint names the line and the allowed values."""

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from pathlib import Path
from typing import TypeVar

import yaml

from marketdata_pipelines.domain import feeds as f
from marketdata_pipelines.domain.intervals import Interval, parse_interval
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.quality.pairings import pairings_of
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.domain.sessions import check_calendar
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.feeds_document import open_document, read_text, section
from marketdata_pipelines.settings.keep_keys import read_keep
from marketdata_pipelines.settings.nodes import Node
from marketdata_pipelines.settings.publish_keys import read_publish
from marketdata_pipelines.settings.quality_keys import read_quality
from marketdata_pipelines.settings.references_file import named_reference, read_references
from marketdata_pipelines.settings.schedule_keys import read_schedule
from marketdata_pipelines.settings.source_keys import read_source

_FEED_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_TICK_INTERVALS = ("tick", "ticks", "trade", "trades")
_FEED_KEYS = (
    "source", "interval", "calendar", "asset_class", "data", "anchor", "partition", "extended_hours", "closing_auction",
    "volume_unit", "multiplier", "allow_nonpositive_prices", "trade_filter", "start", "description", "owners",
    "schedule", "corporate_actions", "instruments", "keep", "quality", "publish",
)  # fmt: skip
_USUAL_CALENDARS = ("24/7", "fx", "XNYS", "XNAS", "CMES", "XLON", "XETR", "XPAR", "XTKS", "XHKG", "XASX", "XSHG")
_FILTER_KEYS = ("ohlc_exclude_conditions", "volume_exclude_conditions", "exclude_exchanges")
_T = TypeVar("_T")


def load_feeds(path: Path) -> dict[str, f.Feed]:
    """The feeds of a feeds.yaml, by name, in file order.

    Errors: SettingsInvalid with file, line, key and allowed values.
    """
    return parse_feeds(read_text(path), str(path))


def parse_feeds(text: str, where: str) -> dict[str, f.Feed]:
    """Like `load_feeds`, from a text; `where` names it in errors."""
    document = open_document(text, where)
    references = read_references(document)
    feeds = {name: _feed(name, node, references) for name, node in section(document, "feeds")}
    for feed in feeds.values():
        # Whom it is compared with, and whether that can be done, is known once all are read.
        pairings_of(feed, feeds)
    return feeds


def _feed(name: str, node: Node, references: Mapping[str, Reference]) -> f.Feed:
    if not _FEED_NAME.match(name):
        raise node.fail("is no feed name; use lower-case letters, digits and _ (it becomes a folder)")
    node.check_keys(_FEED_KEYS)
    source = read_source(node.need("source"))
    calendar = _calendar(node.need("calendar"))
    interval, ticks = _interval(node.need("interval"))
    data = _optional(node, "data", lambda n: n.choice(f.DataKind), f.DataKind.TRADES if ticks else None)
    feed = f.Feed(
        name=name,
        source=source,
        interval=interval,
        calendar=calendar,
        data=data,
        asset_class=_optional(
            node, "asset_class", lambda n: n.choice(f.AssetClass), f.default_asset_class(calendar.name)
        ),
        anchor=_optional(node, "anchor", lambda n: n.choice(f.Anchor), f.default_anchor(calendar.name)),
        partition=_optional(node, "partition", lambda n: n.choice(f.PartitionBy), f.default_partition(interval)),
        extended_hours=_optional(node, "extended_hours", _hours, None),
        closing_auction=_optional(
            node, "closing_auction", lambda n: n.choice(f.ClosingAuction), f.ClosingAuction.LAST_BAR
        ),
        volume_unit=_optional(node, "volume_unit", lambda n: n.choice(f.VolumeUnit), f.VolumeUnit.BASE),
        multiplier=_optional(node, "multiplier", lambda n: n.read(_positive), 1.0),
        allow_nonpositive_prices=_optional(node, "allow_nonpositive_prices", Node.flag, False),
        trade_filter=_optional(node, "trade_filter", _trade_filter, f.TradeFilter()),
        start=_optional(node, "start", lambda n: n.read(_date), None),
        description=_optional(node, "description", Node.text, ""),
        owners=_optional(node, "owners", Node.texts, ()),
        schedule=_optional(node, "schedule", lambda n: read_schedule(n, source.kind), None),
        corporate_actions=named_reference(node, ReferenceKind.CORPORATE_ACTIONS, references),
        instruments=named_reference(node, ReferenceKind.INSTRUMENTS, references),
        keep=_optional(node, "keep", read_keep, f.Keep()),
        quality=_optional(node, "quality", read_quality, QualitySpec()),
        publish=_optional(node, "publish", read_publish, Publication()),
    )
    if feed.is_pulled and data is f.DataKind.TRADES:
        raise node.need("source").fail(f"of kind {source.kind} has bars, not trades; give an interval such as 1m")
    _check_faults(feed, node.need("source"))
    return feed


def _optional(node: Node, key: str, read: Callable[[Node], _T], default: _T) -> _T:
    found = node.get(key)
    return default if found is None else read(found)


def _interval(node: Node) -> tuple[Interval, bool]:
    # Trades have no interval of their own; their finest bars are of one second.
    if node.text() in _TICK_INTERVALS:
        return parse_interval("1s"), True
    return node.read(parse_interval), False


def _check_faults(feed: f.Feed, source: Node) -> None:
    if not feed.source.faults:
        return
    from marketdata_pipelines.sources.simulated.rates import fault_rates, quiet_rate

    try:
        fault_rates(feed)
        quiet_rate(feed)
    except SettingsInvalid as error:
        raise source.need("faults").fail(f"is wrong: {error}") from error


def _calendar(node: Node) -> f.CalendarSpec:
    if isinstance(node.node, yaml.ScalarNode):
        return f.CalendarSpec(_calendar_name(node))
    node.check_keys(("name", "breaks", "closed"))
    return f.CalendarSpec(
        name=_calendar_name(node.need("name")),
        breaks=_optional(node, "breaks", lambda n: tuple(n.read_each(_pause)), ()),
        closed=_optional(node, "closed", lambda n: tuple(n.read_each(_date)), ()),
    )


def _calendar_name(node: Node) -> str:
    name = node.text()
    # Loading every calendar takes half a second, which the usual names need not cost.
    if name not in _USUAL_CALENDARS:
        node.read(check_calendar)
    return name


def _pause(text: str) -> tuple[time, time]:
    begins, _, ends = text.partition("-")
    try:
        pause = _time(begins), _time(ends)
    except ValueError as error:
        raise ValueError(f"{text!r} is no break; give local times like 16:00-17:00") from error
    if pause[0] == pause[1]:
        raise ValueError(f"{text!r} begins where it ends; give local times like 16:00-17:00")
    return pause


def _hours(node: Node) -> tuple[time, time]:
    hours = node.read_each(_time)
    if len(hours) != 2 or hours[0] >= hours[1]:
        raise node.fail("must be two local times of one day, the earlier first, like [04:00, 20:00]")
    return hours[0], hours[1]


def _trade_filter(node: Node) -> f.TradeFilter:
    node.check_keys(_FILTER_KEYS)
    listed = {key: found.texts() for key in _FILTER_KEYS if (found := node.get(key)) is not None}
    return f.TradeFilter(**listed)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no local time like 16:00") from error


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no date like 2024-03-08") from error


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{text} is no positive number")
    return number
