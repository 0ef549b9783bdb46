"""Reads the `references` section of feeds.yaml, and which of them a feed names."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from marketdata_pipelines.domain.references import AUTO, STYLES, Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.settings.feeds_document import open_document, read_text, section
from marketdata_pipelines.settings.nodes import Node

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_KEYS = ("kind", "path", "style", "mode", "description", "owners")
_T = TypeVar("_T")


def load_references(path: Path) -> dict[str, Reference]:
    """The references of a feeds.yaml, by name, in file order; none where it has no such section.

    Errors: SettingsInvalid with file, line, key and allowed values.
    """
    return parse_references(read_text(path), str(path))


def parse_references(text: str, where: str) -> dict[str, Reference]:
    """Like `load_references`, from a text; `where` names it in errors."""
    return read_references(open_document(text, where))


def read_references(document: Node | None) -> dict[str, Reference]:
    """The references of an opened feeds.yaml.

    Errors: SettingsInvalid also where a feed has the same name: both are folders of the lake.
    """
    feeds = {name: node.line for name, node in section(document, "feeds")}
    found = {}
    for name, node in section(document, "references"):
        if name in feeds:
            raise node.fail(f"is also the name of a feed (line {feeds[name]}); both become folders: rename one of them")
        found[name] = _reference(name, node)
    return found


def named_reference(node: Node, key: ReferenceKind, references: Mapping[str, Reference]) -> str | None:
    """The reference a feed names under `corporate_actions` or `instruments`; None where it names none.

    Errors: SettingsInvalid when there is no such reference, or one of another kind.
    """
    found = node.get(key)
    if found is None:
        return None
    name = found.text()
    known = ", ".join(each.name for each in references.values() if each.kind is key)
    there = f"references of kind {key}: {known}" if known else f"there are no references of kind {key} yet"
    if name not in references:
        raise found.fail(f"names {name!r}, which is not under references; {there}")
    if references[name].kind is not key:
        raise found.fail(f"names {name!r}, which is of kind {references[name].kind}; {there}")
    return name


def _reference(name: str, node: Node) -> Reference:
    if not _NAME.match(name):
        raise node.fail("is no reference name; use lower-case letters, digits and _ (it becomes a folder)")
    node.check_keys(_KEYS)
    kind = node.need("kind").choice(ReferenceKind)
    return Reference(
        name=name,
        kind=kind,
        path=_optional(node, "path", _path, None),
        style=_optional(node, "style", lambda n: _style(n, kind), AUTO),
        mode=_optional(node, "mode", lambda n: n.choice(ReferenceMode), ReferenceMode.UPSERT),
        description=_optional(node, "description", Node.text, ""),
        owners=_optional(node, "owners", Node.texts, ()),
    )


def _path(node: Node) -> str:
    text = node.text().strip()
    if not text:
        raise node.fail("is empty; give a file or folder below the data folder, or leave the key out")
    return text


def _style(node: Node, kind: ReferenceKind) -> str:
    if node.text() not in STYLES[kind]:
        raise node.fail(f"is {node.text()!r}; allowed for {kind}: {', '.join(STYLES[kind])}")
    return node.text()


def _optional(node: Node, key: str, read: Callable[[Node], _T], default: _T) -> _T:
    found = node.get(key)
    return default if found is None else read(found)
