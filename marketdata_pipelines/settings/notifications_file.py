"""Reads notifications.yaml: who is told of failures, late data and recoveries, and how; secrets stay elsewhere.

group_minutes: 10
channels:
  - {kind: webhook, url_env: SLACK_WEBHOOK_URL}
  - {kind: email, host: smtp.example.org, from: marketdata@example.org, to: [ops@example.org], events: [failure]}
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from marketdata_pipelines.domain.notices import NoticeKind
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.notify.specs import (
    LOG_CHANNEL,
    ChannelSpec,
    Filter,
    LogSpec,
    MailSecurity,
    MailSpec,
    WebhookSpec,
)
from marketdata_pipelines.settings.nodes import Node

_GROUP_MINUTES = 10.0
_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}
_SHARED_KEYS = ("kind", "name", "events", "feeds", "timeout_seconds")
_KEYS = {
    "email": (*_SHARED_KEYS, "host", "port", "security", "user_env", "password_env", "from", "to"),
    "webhook": (*_SHARED_KEYS, "url_env"),
}
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_ADDRESS = re.compile(r"^[^@\s,;<>]+@[^@\s,;<>]+$")
_EVENTS = tuple(kind.value for kind in NoticeKind if kind is not NoticeKind.TEST)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Notifications:
    """Every channel, the log first, and how long a group of happenings shares a notice."""

    channels: tuple[ChannelSpec, ...] = (LogSpec(),)
    group_seconds: int = int(_GROUP_MINUTES * 60)


def load_notifications(path: Path) -> Notifications:
    """The channels of a notifications.yaml; only the log where there is no such file.

    Errors: SettingsInvalid with file, line, key and allowed values.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Notifications()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read ({error}); it must be a UTF-8 text file") from error
    return parse_notifications(text, str(path))


def parse_notifications(text: str, where: str) -> Notifications:
    """Like `load_notifications`, from a text; `where` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{where} is not valid YAML: {error}") from error
    if root is None:
        return Notifications()
    document = Node(root, where, "notifications.yaml", root.start_mark.line + 1)
    document.check_keys(("group_minutes", "channels"))
    listed = document.get("channels")
    specs: list[ChannelSpec] = [LogSpec()]
    for node in listed.list_items() if listed is not None else []:
        spec = _channel(node, len(specs))
        if spec.name in [each.name for each in specs]:
            raise node.fail(f"has a second channel named {spec.name!r}; give each its own name")
        specs.append(spec)
    minutes = _optional(document, "group_minutes", lambda node: node.read(_not_negative), _GROUP_MINUTES)
    return Notifications(tuple(specs), int(minutes * 60))


def _channel(node: Node, number: int) -> MailSpec | WebhookSpec:
    kind_node = node.need("kind")
    kind = kind_node.text()
    if kind not in _KEYS:
        raise kind_node.fail(f"is {kind!r}; allowed: {', '.join(_KEYS)} (the log is always on)")
    for key, value in node.items():
        if key not in _KEYS[kind]:
            secret = " (secrets stay in environment variables: name them with …_env)" if "_env" not in key else ""
            raise value.fail(f"is no key of a channel of kind {kind}; allowed: {', '.join(_KEYS[kind])}{secret}")
    name = _optional(node, "name", lambda each: each.read(_channel_name), f"{kind}-{number}")
    filters = Filter(
        _optional(node, "events", lambda each: tuple(NoticeKind(text) for text in each.read_each(_event)), ()),
        _optional(node, "feeds", Node.texts, ()),
    )
    timeout = _optional(node, "timeout_seconds", lambda each: each.read(_seconds), 10.0)
    if kind == "webhook":
        return WebhookSpec(name, node.need("url_env").read(_variable), filters, timeout)
    return _mail(node, name, filters, timeout)


def _mail(node: Node, name: str, filters: Filter, timeout_seconds: float) -> MailSpec:
    security = _optional(node, "security", lambda each: each.choice(MailSecurity), MailSecurity.STARTTLS)
    user, password = (
        _optional(node, key, lambda each: each.read(_variable_or_none), None) for key in ("user_env", "password_env")
    )
    if (user is None) != (password is None):
        raise node.fail("names only one of user_env and password_env; name both, or neither")
    if user is not None and security is MailSecurity.NONE:
        raise node.fail("would send a password in the clear; use security: starttls or tls, or leave the user out")
    return MailSpec(
        name=name,
        host=node.need("host").text(),
        port=_optional(node, "port", lambda each: each.read(_port), _PORTS[security]),
        security=security,
        sender=node.need("from").read(_address),
        to=tuple(node.need("to").read_each(_address)),
        user_env=user,
        password_env=password,
        filter=filters,
        timeout_seconds=timeout_seconds,
    )


def _optional(node: Node, key: str, read: Callable[[Node], _T], default: _T) -> _T:
    found = node.get(key)
    return default if found is None else read(found)


def _event(text: str) -> str:
    if text not in _EVENTS:
        raise ValueError(f"{text!r} is no event; allowed: {', '.join(_EVENTS)}")
    return text


def _channel_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", text) or text == LOG_CHANNEL:
        raise ValueError(f"{text!r} is no channel name; use lower-case letters, digits, - and _ (log is taken)")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.match(text):
        # What stands here may be the secret itself.
        raise ValueError("it must be the name of an environment variable, such as SLACK_WEBHOOK_URL, not its value")
    return text


def _variable_or_none(text: str) -> str | None:
    return _variable(text)


def _address(text: str) -> str:
    if not _ADDRESS.match(text) or not text.isprintable():
        raise ValueError(f"{text!r} is no e-mail address")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65_536:
        raise ValueError(f"{text!r} is no port; give 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10:
        raise ValueError(f"{text} is out of range; give more than 0 and at most 10 seconds")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1440:
        raise ValueError(f"{text} is out of range; give 0 to 1440 minutes")
    return value
