"""Reads feeds.yaml into `Feed` records; every complaint names the line and the allowed values."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from marketdata_pipelines.domain import feeds as f
from marketdata_pipelines.domain.intervals import Interval, parse_interval
from marketdata_pipelines.errors import SettingsInvalid

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
_FORMATS = ("auto", "csv", "tsv", "json", "jsonl", "parquet", "excel")
_FILTER_KEYS = ("ohlc_exclude_conditions", "volume_exclude_conditions", "exclude_exchanges")
_Choice = TypeVar("_Choice", bound=StrEnum)
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
    return parse_feeds(text, str(path))


def parse_feeds(text: str, where: str) -> dict[str, f.Feed]:
    """Like `load_feeds`, from a text; `where` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{where} is not valid YAML: {error}") from error
    if root is None:
        return {}
    document = _Node(root, where, "feeds.yaml")
    document.check_keys(("feeds",))
    feeds = document.get("feeds")
    return {} if feeds is None else {name: _feed(name, node) for name, node in feeds.items()}


@dataclass(frozen=True, slots=True)
class _Node:
    """A YAML node with its place, so that every complaint can name the line."""

    node: yaml.Node
    where: str
    name: str

    def fail(self, message: str) -> SettingsInvalid:
        return SettingsInvalid(f"{self.where}, line {self.node.start_mark.line + 1}: {self.name} {message}")

    def items(self) -> list[tuple[str, "_Node"]]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail("must be a mapping (key: value lines below it)")
        pairs = [(str(key.value), _Node(value, self.where, str(key.value))) for key, value in self.node.value]
        seen = set()
        for key, value in pairs:
            if key in seen:
                raise value.fail("is given twice")
            seen.add(key)
        return pairs

    def check_keys(self, allowed: tuple[str, ...]) -> None:
        for key, value in self.items():
            if key not in allowed:
                raise value.fail(f"is no key of {self.name}; allowed: {', '.join(allowed)}")

    def get(self, key: str) -> "_Node | None":
        found = dict(self.items()).get(key)
        return None if found is None or found.node.tag == "tag:yaml.org,2002:null" else found

    def need(self, key: str) -> "_Node":
        found = self.get(key)
        if found is None:
            raise self.fail(f"lacks the key {key}")
        return found

    def value(self) -> object:
        loader = yaml.SafeLoader("")
        try:
            value: object = loader.construct_object(self.node, deep=True)
        finally:
            loader.dispose()
        return value

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fail("must be one value")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        if isinstance(self.node, yaml.ScalarNode):
            return (str(self.node.value),)
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail("must be a list")
        return tuple(_Node(item, self.where, self.name).text() for item in self.node.value)

    def read(self, convert: Callable[[str], _T]) -> _T:
        try:
            return convert(self.text())
        except ValueError as error:
            raise self.fail(f"is wrong: {error}") from error

    def choice(self, kinds: type[_Choice]) -> _Choice:
        text = self.text()
        if text not in [kind.value for kind in kinds]:
            raise self.fail(f"is {text!r}; allowed: {', '.join(kind.value for kind in kinds)}")
        return kinds(text)

    def flag(self) -> bool:
        value = self.value()
        if not isinstance(value, bool):
            raise self.fail("must be true or false")
        return value


def _feed(name: str, node: _Node) -> f.Feed:
    if not _FEED_NAME.match(name):
        raise node.fail("is no feed name; use lower-case letters, digits and _ (it becomes a folder)")
    node.check_keys(_FEED_KEYS)
    source = _source(node.need("source"))
    calendar = _calendar(node.need("calendar"))
    interval, ticks = _interval(node.need("interval"))
    data = _optional(node, "data", lambda n: n.choice(f.DataKind), f.DataKind.TRADES if ticks else None)
    return f.Feed(
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
        multiplier=_optional(node, "multiplier", lambda n: n.read(float), 1.0),
        allow_nonpositive_prices=_optional(node, "allow_nonpositive_prices", _Node.flag, False),
        trade_filter=_optional(node, "trade_filter", _trade_filter, f.TradeFilter()),
        start=_optional(node, "start", lambda n: n.read(_date), None),
        description=_optional(node, "description", _Node.text, ""),
        owners=_optional(node, "owners", _Node.texts, ()),
    )


def _optional(node: _Node, key: str, read: Callable[[_Node], _T], default: _T) -> _T:
    found = node.get(key)
    return default if found is None else read(found)


def _interval(node: _Node) -> tuple[Interval, bool]:
    # Trades have no interval of their own; their finest bars are of one second.
    if node.text() in _TICK_INTERVALS:
        return parse_interval("1s"), True
    return node.read(parse_interval), False


def _source(node: _Node) -> f.SourceSpec:
    if isinstance(node.node, yaml.ScalarNode):
        return f.SourceSpec(kind=f.SourceKind.FILES, path=node.text())
    node.check_keys(_SOURCE_KEYS)
    text: Callable[[str], str | None] = lambda key: _optional(node, key, _Node.text, None)  # noqa: E731
    symbols = node.get("symbols")
    count = symbols is not None and isinstance(symbols.node, yaml.ScalarNode) and symbols.text().isdigit()
    return f.SourceSpec(
        kind=node.need("kind").choice(f.SourceKind),
        path=text("path"),
        format=_optional(node, "format", _format, None),
        timezone=_optional(node, "timezone", _zone, None),
        columns=_optional(node, "columns", _columns, ()),
        label=_optional(node, "label", lambda n: n.choice(f.Label), f.Label.START),
        header=_optional(node, "header", _Node.flag, None),
        delimiter=text("delimiter"),
        decimal=text("decimal"),
        encoding=text("encoding"),
        time_format=text("time_format"),
        sheet=text("sheet"),
        symbol=text("symbol"),
        symbol_from_name=_optional(node, "symbol_from_name", _pattern, None),
        symbols=() if symbols is None or count else symbols.texts(),
        symbol_count=int(symbols.text()) if symbols is not None and count else 0,
        seed=_optional(node, "seed", lambda n: n.read(int), 0),
        faults=_optional(node, "faults", _faults, ()),
    )


def _format(node: _Node) -> str | None:
    text = node.text()
    if text not in _FORMATS:
        raise node.fail(f"is {text!r}; allowed: {', '.join(_FORMATS)}")
    return None if text == "auto" else text


def _zone(node: _Node) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(node.text()).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise node.fail(f"is {node.text()!r}, which is no IANA zone such as America/New_York or UTC") from error


def _columns(node: _Node) -> tuple[tuple[str, str], ...]:
    if isinstance(node.node, yaml.SequenceNode):
        # A plain list names the fields of a file without header, in order; `-` skips a column.
        names = node.texts()
        return tuple((str(position), name) for position, name in enumerate(names, 1) if name != "-")
    return tuple((key, value.text()) for key, value in node.items())


def _pattern(node: _Node) -> str:
    try:
        groups = re.compile(node.text()).groups
    except re.error as error:
        raise node.fail(f"is no regular expression: {error}") from error
    if groups < 1:
        raise node.fail("needs a group (…) that is the symbol")
    return node.text()


def _faults(node: _Node) -> tuple[tuple[str, float], ...]:
    return tuple((key, value.read(float)) for key, value in node.items())


def _calendar(node: _Node) -> f.CalendarSpec:
    if isinstance(node.node, yaml.ScalarNode):
        return f.CalendarSpec(node.text())
    node.check_keys(("name", "breaks", "closed"))
    return f.CalendarSpec(
        name=node.need("name").text(),
        breaks=_optional(node, "breaks", _breaks, ()),
        closed=_optional(node, "closed", lambda n: tuple(_read_each(n, _date)), ()),
    )


def _breaks(node: _Node) -> tuple[tuple[time, time], ...]:
    def pause(text: str) -> tuple[time, time]:
        begins, _, ends = text.partition("-")
        return _time(begins), _time(ends)

    return tuple(_read_each(node, pause))


def _hours(node: _Node) -> tuple[time, time]:
    hours = _read_each(node, _time)
    if len(hours) != 2:
        raise node.fail("must be two local times, like [04:00, 20:00]")
    return hours[0], hours[1]


def _read_each(node: _Node, convert: Callable[[str], _T]) -> list[_T]:
    try:
        return [convert(text) for text in node.texts()]
    except ValueError as error:
        raise node.fail(f"is wrong: {error}") from error


def _trade_filter(node: _Node) -> f.TradeFilter:
    node.check_keys(_FILTER_KEYS)
    listed = {key: found.texts() for key in _FILTER_KEYS if (found := node.get(key)) is not None}
    return f.TradeFilter(**listed)


def _time(text: str) -> time:
    return time.fromisoformat(text.strip())


def _date(text: str) -> date:
    return date.fromisoformat(text.strip())
