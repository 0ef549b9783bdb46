"""A feed's definition as text, to be kept with what was derived by it, and read back when an earlier one is asked for.

The text holds every field; what the version is made of is decided in `feeds`.
"""

import json
import types
from dataclasses import asdict, fields, is_dataclass
from datetime import date, time
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SettingsInvalid


def feed_text(feed: Feed) -> str:
    """The definition as JSON; equal definitions give equal texts."""
    return json.dumps(asdict(feed), sort_keys=True, default=str)


@lru_cache(maxsize=256)
def read_feed(text: str) -> Feed:
    """The feed a text of `feed_text` says; fields it does not know yet have their defaults.

    Errors: SettingsInvalid when the text is of a release this one cannot read.
    """
    try:
        feed: Feed = _value(Feed, json.loads(text))
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise SettingsInvalid(
            f"a recorded feed definition cannot be read by this release ({error}); ask without as-of, or with the "
            "release that wrote it"
        ) from error
    return feed


def _value(kind: Any, value: Any) -> Any:
    """A JSON value as what a field's annotation says."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_value(arguments[0], item) for item in value)
        return tuple(_value(argument, item) for argument, item in zip(arguments, value, strict=True))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {field.name for field in fields(kind)} & value.keys()
        return kind(**{name: _value(hints[name], value[name]) for name in known})  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind in (date, time):
        return kind.fromisoformat(value)
    return kind(value) if kind in (int, float, str, bool) else value
