"""Reads feeds.yaml into `Feed` records; every complaint names the line and the allowed values."""

import re
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import TypeVar

import yaml

from marketdata_pipelines.domain import feeds as f
from marketdata_pipelines.domain.intervals import Interval, parse_interval
from marketdata_pipelines.domain.sessions import check_calendar
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.nodes import Node

_FEED_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_TICK_INTERVALS = ("tick", "ticks", "trade", "trades")
_FEED_KEYS = (
    "source", "interval", "calendar", "asset_class", "data", "anchor", "partition", "extended_hours", "closing_auction",
    "volume_unit", "multiplier", "allow_nonpositive_prices", "trade_filter", "start", "description", "owners",
)  # fmt: skip
_SOURCE_KEYS = (
    "kind", "path", "format", "timezone", "columns", "label", "header", "delimiter", "decimal", "encoding",
    "time_format", "sheet", "symbol", "symbol_from_name", "symbols", "seed", "faults",
)  # fmt: skip
_USUAL_CALENDARS = ("24/7", "fx", "XNYS", "XNAS", "CMES", "XLON", "XETR", "XPAR", "XTKS", "XHKG", "XASX", "XSHG")
_FORMATS = ("auto", "csv", "tsv", "json", "jsonl", "parquet", "excel")
_FILTER_KEYS = ("ohlc_exclude_conditions", "volume_exclude_conditions", "exclude_exchanges")
_T = TypeVar("_T")


def load_feeds(path: Path) -> dict[str, f.Feed]:
    """The feeds of a feeds.yaml, by name, in file order.

    Errors: SettingsInvalid with file, line, key and allowed values.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise SettingsInvalid(
            f"{path} is not there; create it (see README, “Add a feed”) or point MARKETDATA_HOME at its folder"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read ({error}); it must be a UTF-8 text file") from error
    return parse_feeds(text, str(path))


def parse_feeds(text: str, where: str) -> dict[str, f.Feed]:
    """Like `load_feeds`, from a text; `where` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{where} is not valid YAML: {error}") from error
    if root is None:
        return {}
    document = Node(root, where, "feeds.yaml", root.start_mark.line + 1)
    document.check_keys(("feeds",))
    feeds = document.get("feeds")
    return {} if feeds is None else {name: _feed(name, node) for name, node in feeds.items()}


def _feed(name: str, node: Node) -> f.Feed:
    if not _FEED_NAME.match(name):
        raise node.fail("is no feed name; use lower-case letters, digits and _ (it becomes a folder)")
    node.check_keys(_FEED_KEYS)
    source = _source(node.need("source"))
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
    )
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


def _source(node: Node) -> f.SourceSpec:
    if isinstance(node.node, yaml.ScalarNode):
        return f.SourceSpec(kind=f.SourceKind.FILES, path=node.text())
    node.check_keys(_SOURCE_KEYS)
    text: Callable[[str], str | None] = lambda key: _optional(node, key, Node.text, None)  # noqa: E731
    symbols = node.get("symbols")
    count = symbols is not None and isinstance(symbols.node, yaml.ScalarNode) and symbols.text().isdigit()
    return f.SourceSpec(
        kind=node.need("kind").choice(f.SourceKind),
        path=text("path"),
        format=_optional(node, "format", _format, None),
        timezone=_optional(node, "timezone", _zone, None),
        columns=_optional(node, "columns", _columns, ()),
        label=_optional(node, "label", lambda n: n.choice(f.Label), f.Label.START),
        header=_optional(node, "header", Node.flag, None),
        delimiter=_checked(node, "delimiter"),
        decimal=_checked(node, "decimal"),
        encoding=_checked(node, "encoding"),
        time_format=text("time_format"),
        sheet=text("sheet"),
        symbol=text("symbol"),
        symbol_from_name=_optional(node, "symbol_from_name", _pattern, None),
        symbols=() if symbols is None or count else symbols.texts(),
        symbol_count=int(symbols.text()) if symbols is not None and count else 0,
        seed=_optional(node, "seed", lambda n: n.read(int), 0),
        faults=_optional(node, "faults", _faults, ()),
    )


def _format(node: Node) -> str | None:
    text = node.text()
    if text not in _FORMATS:
        raise node.fail(f"is {text!r}; allowed: {', '.join(_FORMATS)}")
    return None if text == "auto" else text


def _zone(node: Node) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(node.text()).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise node.fail(f"is {node.text()!r}, which is no IANA zone such as America/New_York or UTC") from error


def _columns(node: Node) -> tuple[tuple[str, str], ...]:
    if isinstance(node.node, yaml.SequenceNode):
        # A plain list names the fields of a file without header, in order; `-` skips a column.
        items = enumerate(node.list_items(), 1)
        return tuple((str(position), _field(item)) for position, item in items if item.text() != "-")
    return tuple((key, _field(value)) for key, value in node.items())


def _field(node: Node) -> str:
    from marketdata_pipelines.sources.files.columns import FIELDS

    text = node.text()
    if text not in FIELDS:
        raise node.fail(f"is {text!r}, which is no field; allowed: {', '.join(sorted(FIELDS))}")
    return text


def _checked(node: Node, key: str) -> str | None:
    """How a file is written, as far as it is pinned, checked by its reader."""
    found = node.get(key)
    if found is None:
        return None
    from marketdata_pipelines.sources.files import dialect, encoding

    check = {"delimiter": dialect.check_delimiter, "decimal": dialect.check_decimal}.get(
        key, encoding.canonical_encoding
    )
    found.read(check)
    return found.text()


def _pattern(node: Node) -> str:
    try:
        groups = re.compile(node.text()).groups
    except re.error as error:
        raise node.fail(f"is no regular expression: {error}") from error
    if groups < 1:
        raise node.fail("needs a group (…) that is the symbol")
    return node.text()


def _faults(node: Node) -> tuple[tuple[str, float], ...]:
    return tuple((key, value.read(float)) for key, value in node.items())


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
