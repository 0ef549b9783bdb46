"""Corporate actions from a file's bytes, whatever it is written like. Where files come from is not here."""

from enum import StrEnum

import pyarrow as pa

from marketdata_pipelines.sources.files.encoding import detect_encoding
from marketdata_pipelines.sources.reference.actions_csv import read_actions_csv
from marketdata_pipelines.sources.reference.lean_factors import looks_like_factors, read_factors
from marketdata_pipelines.sources.reference.lean_map import looks_like_map
from marketdata_pipelines.sources.reference.map_actions import read_map_actions
from marketdata_pipelines.sources.reference.yahoo_amounts import restore_amounts

_HEAD_BYTES = 65_536


class ActionStyle(StrEnum):
    """How a file of corporate actions is written. `yahoo` is `actions` with amounts divided by later splits."""

    AUTO = "auto"
    ACTIONS = "actions"
    LEAN_FACTORS = "lean_factors"
    LEAN_MAP = "lean_map"
    YAHOO = "yahoo"


def read_actions(content: bytes, name: str, style: str = ActionStyle.AUTO) -> pa.Table:
    """Every action of an unpacked file, and its bad rows, in the file's order.

    Shape:   RAW_ACTION_SCHEMA; `rules` is null for good rows, else ids of `domain.actions`, `domain.instruments` (of
             map files) or `domain.rules`. LEAN's files are about the symbol or instrument that `name` begins with.
    Errors:  SourceRejected (empty_file, missing_column, duplicate_header, action_file_unreadable); nothing else,
             whatever the bytes are. ValueError for a style that is none.
    """
    chosen = ActionStyle(style)
    if chosen is ActionStyle.AUTO:
        chosen = guess_style(content, name)
    if chosen is ActionStyle.LEAN_FACTORS:
        return read_factors(content, name)
    if chosen is ActionStyle.LEAN_MAP:
        return read_map_actions(content, name)
    actions = read_actions_csv(content, name)
    return restore_amounts(actions) if chosen is ActionStyle.YAHOO else actions


def guess_style(content: bytes, name: str) -> ActionStyle:
    """The style that a file's first line shows, else its name; never `yahoo`, which looks like any other."""
    head = content[:_HEAD_BYTES]
    text = head.decode(detect_encoding(head[:4096]), "replace").removeprefix("\ufeff")
    words = name.lower().replace("\\", "/").split("/")[-1].split(".")[1:]
    if looks_like_factors(text) or {"factor", "factors"} & set(words):
        return ActionStyle.LEAN_FACTORS
    if looks_like_map(text) or "map" in words:
        return ActionStyle.LEAN_MAP
    return ActionStyle.ACTIONS
