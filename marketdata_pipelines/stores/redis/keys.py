"""Every key and channel of a namespace: how one is built from what it names, and read back.

A key of bars carries the revision of its partition, so that bars that were corrected meanwhile can't be found under it.
The symbol stands in braces, Redis Cluster's hash tag: all of a symbol's bars are on one node.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_VERSION = "v1"
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]+").fullmatch


@dataclass(frozen=True, slots=True)
class BarsKey:
    """What one value holds: the bars of one symbol in one partition of a table, as of a revision."""

    feed: str
    table: str
    symbol: str
    partition: str
    revision: str


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one partition of a table, as of a revision; what is written, counted and dropped together."""

    feed: str
    table: str
    partition: str
    revision: str

    @property
    def name(self) -> str:
        """One text for the four, under which the group is accounted for."""
        return ":".join(escape(part) for part in (self.feed, self.table, self.partition, self.revision))


class Keys:
    """The keys of a namespace. Any text may be a symbol, partition or revision; see `escape`."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.root = f"{escape(namespace)}:{_VERSION}"

    def bars(self, key: BarsKey) -> str:
        """`{namespace}:v1:{feed}:{table}:{symbol}:{partition}:{revision}`, the symbol in braces."""
        return self.bars_of(Group(key.feed, key.table, key.partition, key.revision), [key.symbol])[0]

    def bars_of(self, group: Group, symbols: list[str]) -> list[str]:
        """The keys of several symbols of a group, in their order."""
        before = f"{self._table(group.feed, group.table)}:{{"
        after = f"}}:{escape(group.partition)}:{escape(group.revision)}"
        return [f"{before}{symbol if _PLAIN(symbol) else escape(symbol)}{after}" for symbol in symbols]

    def parse_bars(self, key: str) -> BarsKey | None:
        """The inverse of `bars`; None for any other key."""
        parts = key.removeprefix(f"{self.root}:").split(":")
        if not key.startswith(f"{self.root}:") or len(parts) != 5 or parts[2][:1] + parts[2][-1:] != "{}":
            return None
        feed, table, symbol, partition, revision = (unescape(part) for part in parts)
        return BarsKey(feed, table, symbol[1:-1], partition, revision)

    def whole(self, group: Group) -> str:
        """The key of a group that is one value: a table that is not parted by symbol."""
        return f"{self._table(group.feed, group.table)}:whole:{escape(group.partition)}:{escape(group.revision)}"

    def members(self, group: Group) -> str:
        """The key of the set of a group's symbols, by which its values are found again without looking for them."""
        return f"{self._table(group.feed, group.table)}:symbols:{escape(group.partition)}:{escape(group.revision)}"

    def revisions(self, feed: str, table: str) -> str:
        """The key of the hash that says which revision of each partition is the newest."""
        return f"{self._table(feed, table)}:revisions"

    def accounts(self) -> tuple[str, str]:
        """The keys of what is kept: groups by when they expire, and their sizes. Both are on one node."""
        return f"{self.root}:{{accounts}}:groups", f"{self.root}:{{accounts}}:sizes"

    def pointers(self) -> str:
        """The key of the set of tables that have a hash of revisions; a member is `pointer_name`."""
        return f"{self.root}:{{accounts}}:pointers"

    def changed(self) -> str:
        """The channel on which changes are told."""
        return f"{self.root}:changed"

    def named(self, *parts: str) -> str:
        """A key for what is not bars, such as figures of a process: `{namespace}:v1:~:` and the parts.

        No feed is called `~`: the key meets no other.
        """
        return ":".join((self.root, "~", *(escape(part) for part in parts)))

    def _table(self, feed: str, table: str) -> str:
        return f"{self.root}:{escape(feed)}:{escape(table)}"


def pointer_name(feed: str, table: str) -> str:
    """One text for a table of a feed."""
    return f"{escape(feed)}:{escape(table)}"


def pointer_of(name: str) -> tuple[str, str] | None:
    """The inverse of `pointer_name`; None for another text."""
    feed, parted, table = name.partition(":")
    return (unescape(feed), unescape(table)) if parted and ":" not in table else None


def group_of(name: str) -> Group | None:
    """The inverse of `Group.name`; None for another text."""
    parts = name.split(":")
    return Group(*(unescape(part) for part in parts)) if len(parts) == 4 else None


def escape(text: str) -> str:
    """As it may stand between colons and within braces: all but letters, digits, `_`, `.`, `-` percent-encoded."""
    # quote() leaves "~" as it is; it marks the keys of `named`.
    return text if _PLAIN(text) else quote(text, safe="", errors="surrogatepass").replace("~", "%7E")


def unescape(text: str) -> str:
    return unquote(text, errors="surrogatepass")
