"""What a reference is: dated facts beside the bars (corporate actions, instruments), as a plain record.

No YAML here (see `settings.references_file`), and no rows (see `actions` and `instruments`).
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

# References have one partition: they are small and always read whole.
ALL = "all"


class ReferenceKind(StrEnum):
    CORPORATE_ACTIONS = "corporate_actions"
    INSTRUMENTS = "instruments"


class ReferenceMode(StrEnum):
    """What a file says by leaving a row out: nothing (`upsert`), or that it no longer holds (`replace`)."""

    UPSERT = "upsert"
    REPLACE = "replace"


RAW_ACTIONS, RAW_INSTRUMENTS = "raw_actions", "raw_instruments"
RAW_TABLES = {ReferenceKind.CORPORATE_ACTIONS: RAW_ACTIONS, ReferenceKind.INSTRUMENTS: RAW_INSTRUMENTS}
AUTO = "auto"
# How the files of a kind may be written; `auto` recognises it file by file.
STYLES: dict[ReferenceKind, tuple[str, ...]] = {
    ReferenceKind.CORPORATE_ACTIONS: (AUTO, "actions", "lean_factors", "lean_map", "yahoo"),
    ReferenceKind.INSTRUMENTS: (AUTO, "instruments", "lean_map"),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One collection of reference data; its name is a folder of the lake, like a feed's, and never also a feed's.

    `path` is a file, folder or pattern below the data folder, or None where files are only handed over.
    """

    name: str
    kind: ReferenceKind
    path: str | None = None
    style: str = AUTO
    mode: ReferenceMode = ReferenceMode.UPSERT
    description: str = ""
    owners: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The lake table of its raw parts."""
        return RAW_TABLES[self.kind]

    @property
    def parse_version(self) -> str:
        """12 hex digits that change when the way a file is read changes."""
        text = json.dumps({"kind": self.kind, "style": self.style}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
