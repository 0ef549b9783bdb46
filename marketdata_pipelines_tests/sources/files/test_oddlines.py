"""Lines the vectorised parser cannot take are read one by one."""

import pytest

from marketdata_pipelines.domain.rules import mask_to_rules
from marketdata_pipelines.sources.files.dialect import TextLayout
from marketdata_pipelines.sources.files.oddlines import read_odd_line

LAYOUT = TextLayout(1, ("ts", "symbol", "close"), 3, ("ts", "symbol", "close"))


@pytest.mark.parametrize(
    ("line", "fields", "rules"),
    [
        (b'1,"a""b",3', ["1", 'a"b', "3"], ""),
        (b"1,2", ["1", "2", None], "row_too_short"),
        (b"1,2,3,4", ["1", "2", "3"], "row_too_long"),
        (b'1,"2,3', ["1", "2", "3"], "unclosed_quote"),
        (b"1,\x002,3", ["1", "2", "3"], "nul_byte"),
        (b"1,\xe9,3", ["1", "\ufffd", "3"], "invalid_encoding"),
        (b"ts,symbol,close", ["ts", "symbol", "close"], "repeated_header"),
        (b"Total,,", ["Total", "", ""], "footer_row"),
        (b"x" * 70_000, [None, None, None], "line_oversized"),
    ],
)
def test_fields_and_rules(line: bytes, fields: list[str | None], rules: str) -> None:
    found = read_odd_line(line, LAYOUT, ",", transcoded=False)

    assert found is not None
    assert (list(found.fields), mask_to_rules(found.rules)) == (fields, rules)


@pytest.mark.parametrize("line", [b"", b"   ", b"\t"])
def test_a_blank_line_is_no_row(line: bytes) -> None:
    assert read_odd_line(line, LAYOUT, ",", transcoded=False) is None
