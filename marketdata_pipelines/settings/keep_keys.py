"""Reads a feed's `keep`: for how long files are kept that nothing needs today."""

import re

from marketdata_pipelines.domain.feeds import Keep
from marketdata_pipelines.settings.nodes import Node

_DAYS = re.compile(r"^([1-9][0-9]{0,4})d$")


def read_keep(node: Node) -> Keep:
    """The policy a feed declares.

    Errors: SettingsInvalid naming the line, for keys there are not and for anything but days like 365d.
    """
    node.check_keys(("superseded_raw",))
    found = node.get("superseded_raw")
    return Keep(superseded_raw_days=None if found is None else found.read(_days))


def _days(text: str) -> int:
    found = _DAYS.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no number of days like 365d")
    return int(found.group(1))
