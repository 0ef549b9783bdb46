"""Reads the `source` part of a feed: which keys there are, and which make sense for which kind of source."""

import re
from collections.abc import Callable
from typing import TypeVar

import yaml

from marketdata_pipelines.domain import feeds as f
from marketdata_pipelines.settings.nodes import Node

_FILE_KEYS = (
    "kind", "path", "format", "timezone", "columns", "label", "header", "delimiter", "decimal", "encoding",
    "time_format", "sheet", "symbol", "symbol_from_name", "symbols", "seed", "faults",
)  # fmt: skip
_CALL_KEYS = ("calls", "per_seconds", "attempts", "timeout_seconds")
_PULLED_KEYS = {
    f.SourceKind.EXCHANGE: ("kind", "url", "symbols", "key_env", "page_rows", *_CALL_KEYS),
    f.SourceKind.CCXT: ("kind", "venue", "url", "symbols", "key_env", "page_rows", *_CALL_KEYS, "options"),
    f.SourceKind.YFINANCE: ("kind", "url", "symbols", *_CALL_KEYS, "options"),
}
_NEEDED_KEYS = {
    f.SourceKind.EXCHANGE: ("url", "symbols"),
    f.SourceKind.CCXT: ("venue", "symbols"),
    f.SourceKind.YFINANCE: ("symbols",),
}
_FORMATS = ("auto", "csv", "tsv", "json", "jsonl", "parquet", "excel")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_T = TypeVar("_T")


def read_source(node: Node) -> f.SourceSpec:
    """The source of a feed; a plain text is the path of files.

    Errors: SettingsInvalid naming line, key and what is allowed.
    """
    if isinstance(node.node, yaml.ScalarNode):
        return f.SourceSpec(kind=f.SourceKind.FILES, path=node.text())
    every = dict.fromkeys((*_FILE_KEYS, *(key for keys in _PULLED_KEYS.values() for key in keys)))
    node.check_keys(tuple(every))
    kind = node.need("kind").choice(f.SourceKind)
    _check_kind_keys(node, kind)
    return _pulled(node, kind) if kind in f.PULLED_KINDS else _local(node, kind)


def _check_kind_keys(node: Node, kind: f.SourceKind) -> None:
    allowed = _PULLED_KEYS.get(kind, _FILE_KEYS)
    for key, found in node.items():
        if key not in allowed:
            raise found.fail(f"is no key of a source of kind {kind}; allowed: {', '.join(allowed)}")
    for key in _NEEDED_KEYS.get(kind, ()):
        if node.get(key) is None:
            raise node.fail(f"lacks the key {key}, which a source of kind {kind} needs")


def _pulled(node: Node, kind: f.SourceKind) -> f.SourceSpec:
    spec = f.SourceSpec(
        kind=kind,
        symbols=_symbols(node.need("symbols")),
        url=_optional(node, "url", lambda n: n.read(_url), None),
        venue=_optional(node, "venue", Node.text, None),
        key_env=_optional(node, "key_env", lambda n: n.read(_variable), None),
        calls=_optional(node, "calls", lambda n: n.read(_count), None),
        per_seconds=_optional(node, "per_seconds", lambda n: n.read(_seconds), None),
        attempts=_optional(node, "attempts", lambda n: n.read(_count), None),
        timeout_seconds=_optional(node, "timeout_seconds", lambda n: n.read(_seconds), None),
        page_rows=_optional(node, "page_rows", lambda n: n.read(_count), None),
        options=_optional(node, "options", lambda n: tuple((key, item.text()) for key, item in n.items()), ()),
    )
    if (spec.calls is None) != (spec.per_seconds is None):
        raise node.fail("gives one of calls and per_seconds; a rate needs both, such as calls: 5, per_seconds: 1")
    return spec


def _symbols(node: Node) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in node.texts()))
    if not names or not all(names):
        raise node.fail("must list at least one symbol and no empty one, such as [AAA, BBB]")
    return names


def _url(text: str) -> str:
    match = re.match(r"^https?://[^/\s?#@]+(/[^\s?#]*)?$", text)
    if match is None:
        raise ValueError(f"{text!r} is no address like https://host/path (secrets go into key_env)")
    return text.rstrip("/")


def _variable(text: str) -> str:
    if not _VARIABLE.match(text):
        # Maybe the secret itself: never repeat it.
        raise ValueError("give the NAME of an environment variable that holds the key, such as EXCHANGE_KEY")
    return text


def _count(text: str) -> int:
    number = int(text) if text.strip().isdigit() else 0
    if number < 1:
        raise ValueError(f"{text!r} is no whole number from 1 on")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is no positive number of seconds")
    return number


def _optional(node: Node, key: str, read: Callable[[Node], _T], default: _T) -> _T:
    found = node.get(key)
    return default if found is None else read(found)


def _local(node: Node, kind: f.SourceKind) -> f.SourceSpec:
    text: Callable[[str], str | None] = lambda key: _optional(node, key, Node.text, None)  # noqa: E731
    symbols = node.get("symbols")
    count = symbols is not None and isinstance(symbols.node, yaml.ScalarNode) and symbols.text().isdigit()
    return f.SourceSpec(
        kind=kind,
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
