"""Texts of shared options."""

from pathlib import Path

import pytest
import typer

from marketdata_pipelines.cli.options import Format, answer_format, split_symbols


def test_symbols_are_split_stripped_and_kept_once() -> None:
    assert split_symbols(["SPY, AAPL", "SPY,BRK.B"]) == ["SPY", "AAPL", "BRK.B"]


@pytest.mark.parametrize("texts", [None, [], ["", " , "]])
def test_no_symbol_means_all(texts: list[str] | None) -> None:
    assert split_symbols(texts) is None


@pytest.mark.parametrize(
    ("chosen", "out", "as_json", "form"),
    [
        (None, None, False, Format.TABLE),
        (None, None, True, Format.JSON),
        (Format.CSV, None, False, Format.CSV),
        (None, Path("a.parquet"), False, Format.PARQUET),
        (None, Path("a.CSV"), False, Format.CSV),
        (Format.JSON, Path("a.csv"), False, Format.JSON),
    ],
)
def test_the_format_is_asked_for_or_told_by_the_ending(
    chosen: Format | None, out: Path | None, as_json: bool, form: Format
) -> None:
    assert answer_format(chosen, out, as_json=as_json) is form


def test_two_formats_at_once_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match="two formats"):
        answer_format(Format.CSV, None, as_json=True)


def test_an_ending_that_says_nothing_needs_a_format() -> None:
    with pytest.raises(typer.BadParameter, match="give --format"):
        answer_format(None, Path("bars.txt"), as_json=False)
