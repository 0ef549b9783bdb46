"""Reading the lines of a delimited file that the vectorised parser cannot take, one by one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.sources.files.dialect import TextLayout, split_fields
from marketdata_pipelines.sources.files.lines import LONGEST_LINE
from marketdata_pipelines.sources.files.regularity import is_valid_text

_FOOTER = re.compile(
    r"^\s*(?:#|//|(?:grand |sub)?totals?\b|sum\b|averages?\b|avg\b|mean\b|count\b|rows?\b|records?\b|end\b|eof\b"
    r"|source\b|disclaimer\b|note\b|copyright\b|generated\b|downloaded\b|exported\b|©)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OddLine:
    """One line's fields (None where there are fewer than columns) and the bits of the rules it breaks.

    `rules` 0: the line is sound, only its quoting was unusual.
    """

    fields: Sequence[str | None]
    rules: int


def read_odd_line(line: bytes, layout: TextLayout, delimiter: str, *, transcoded: bool) -> OddLine | None:
    """Read a line; None for a blank one, which is no row."""
    if len(line) > LONGEST_LINE:
        return OddLine([None] * layout.width, rule_bit("line_oversized"))
    rules = 0 if is_valid_text(line, transcoded=transcoded) else rule_bit("invalid_encoding")
    text = line.decode("utf-8", "replace")
    if "\0" in text:
        rules |= rule_bit("nul_byte")
        text = text.replace("\0", "")
    if not text.strip():
        return OddLine([None] * layout.width, rules) if rules else None
    fields = split_fields(text, delimiter)
    if fields is None:
        rules |= rule_bit("unclosed_quote")
        fields = text.replace('"', "").split(delimiter)
    elif not rules and (named := recognise_line(fields, layout)):
        rules = rule_bit(named)
    elif len(fields) != layout.width:
        rules |= rule_bit("row_too_short" if len(fields) < layout.width else "row_too_long")
    return OddLine([*fields, *([None] * layout.width)][: layout.width], rules)


def recognise_line(fields: Sequence[str], layout: TextLayout) -> str | None:
    """`repeated_header` or `footer_row` when the line is one, else None.

    Only for lines without a time that can be read: a ticker may be called SUM.
    """
    if layout.header_cells and [f.strip() for f in fields] == [cell.strip() for cell in layout.header_cells]:
        return "repeated_header"
    filled = [field for field in fields if field.strip()]
    if fields and _FOOTER.match(fields[0]) and (len(fields) < layout.width or len(filled) < layout.width):
        return "footer_row"
    return None
