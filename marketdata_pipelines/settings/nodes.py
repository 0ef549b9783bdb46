"""A YAML node that knows its place, so that every complaint about it names the file, the line and the key.

What keys mean is not here (see `feeds_file`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import yaml

from marketdata_pipelines.errors import SettingsInvalid

_Choice = TypeVar("_Choice", bound=StrEnum)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Node:
    """The value of a key (`name`) or an item of its list; `line` is where the key stands, from 1."""

    node: yaml.Node
    where: str
    name: str
    line: int

    def fail(self, message: str) -> SettingsInvalid:
        """The error to raise: place and key, then `message`."""
        return SettingsInvalid(f"{self.where}, line {self.line}: {self.name} {message}")

    def below(self, node: yaml.Node, at: yaml.Node, name: str) -> "Node":
        """A node below this one, whose place is that of `at`."""
        return Node(node, self.where, name, at.start_mark.line + 1)

    def items(self) -> list[tuple[str, "Node"]]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail("must be a mapping (key: value lines below it)")
        pairs = [(str(key.value), self.below(value, key, str(key.value))) for key, value in self.node.value]
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

    def get(self, key: str) -> "Node | None":
        found = dict(self.items()).get(key)
        return None if found is None or found.node.tag == "tag:yaml.org,2002:null" else found

    def need(self, key: str) -> "Node":
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
        return tuple(item.text() for item in self.list_items())

    def list_items(self) -> list["Node"]:
        """The items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail("must be a list")
        return [self.below(item, item, self.name) for item in self.node.value]

    def read(self, convert: Callable[[str], _T]) -> _T:
        """One value through a function; what it raises becomes a complaint with its place."""
        try:
            return convert(self.text())
        except (ValueError, SettingsInvalid) as error:
            raise self.fail(f"is wrong: {error}") from error

    def read_each(self, convert: Callable[[str], _T]) -> list[_T]:
        """Like `read`, for one value or every item of a list."""
        if isinstance(self.node, yaml.ScalarNode):
            return [self.read(convert)]
        return [item.read(convert) for item in self.list_items()]

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
