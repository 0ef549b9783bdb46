"""Opens feeds.yaml as nodes that know their lines; what its sections mean is in `feeds_file` and `references_file`."""

from functools import lru_cache
from pathlib import Path

import yaml

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.nodes import Node

_SECTIONS = ("feeds", "references")


def read_text(path: Path) -> str:
    """The text of a feeds.yaml.

    Errors: SettingsInvalid when it is not there or cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise SettingsInvalid(
            f"{path} is not there; create it (see README, “Add a feed”) or point MARKETDATA_HOME at its folder"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read ({error}); it must be a UTF-8 text file") from error


# Feeds and references are asked for one after the other, of the same text; nodes are never changed.
@lru_cache(maxsize=4)
def open_document(text: str, where: str) -> Node | None:
    """The sections of a feeds.yaml; None when it is empty. `where` names it in errors.

    Errors: SettingsInvalid when it is no YAML or has a section nobody knows.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{where} is not valid YAML: {error}") from error
    if root is None:
        return None
    document = Node(root, where, "feeds.yaml", root.start_mark.line + 1)
    document.check_keys(_SECTIONS)
    return document


def section(document: Node | None, name: str) -> list[tuple[str, Node]]:
    """The named entries of a section, in file order; none where it is not there."""
    found = None if document is None else document.get(name)
    return [] if found is None else found.items()
