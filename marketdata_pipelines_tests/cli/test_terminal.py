"""Answers as tables for people."""

import pyarrow as pa
import pytest

from marketdata_pipelines.cli.terminal import readable, table_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (302173.0, "302,173"),
        (168.28, "168.28"),
        (0.0, "0"),
        (1.23456, "1.2346"),
        (0.000012345678, "1.23457e-05"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_are_readable(value: float, text: str) -> None:
    assert readable(value) == text


def test_a_long_answer_shows_its_ends_and_says_how_long_it_is() -> None:
    text = table_text(pa.table({"n": list(range(1000, 1100))}), "numbers")

    assert "1,000" in text
    assert "1,099" in text
    assert "1,050" not in text
    assert "numbers: 100 rows, the first and last 12 shown" in text


def test_midnight_labels_are_dates() -> None:
    ts = pa.array([0, 86_400_000_000]).cast(pa.timestamp("us", tz="UTC"))

    assert "1970-01-02 " not in table_text(pa.table({"ts": ts}), "t")
    assert "1970-01-02" in table_text(pa.table({"ts": ts}), "t")


def test_columns_that_do_not_fit_are_named() -> None:
    wide = {f"column_{position}": ["x" * 50] for position in range(6)}

    assert "columns that do not fit: column_4, column_5" in table_text(pa.table(wide), "wide")


def test_hostile_text_neither_moves_the_cursor_nor_is_read_as_markup() -> None:
    text = table_text(pa.table({"original": ["\x1b[2J[bold]x", "a\nb"]}), "rejected")

    assert "\x1b" not in text
    assert r"\x1b[2J[bold]x" in text
    assert r"a\nb" in text
