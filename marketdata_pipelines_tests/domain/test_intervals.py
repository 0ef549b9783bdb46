"""Names and widths of intervals."""

import pytest

from marketdata_pipelines.domain.intervals import Interval, coarser_timeframes, parse_interval, table_name


@pytest.mark.parametrize(
    ("text", "us"),
    [("1s", 1_000_000), ("1m", 60_000_000), ("15m", 900_000_000), ("4h", 14_400_000_000), ("1d", 86_400_000_000)],
)
def test_interval_knows_its_width(text: str, us: int) -> None:
    assert parse_interval(text) == Interval(text, us)


def test_month_has_no_width_and_differs_from_the_minute() -> None:
    assert parse_interval("1M").is_month
    assert not parse_interval("1m").is_month
    assert not parse_interval("1M").is_intraday


@pytest.mark.parametrize("text", ["", "m", "0m", "1", "1 m", "-5m", "1.5h", "5x", "2M", "12345m", "1H"])
def test_other_forms_are_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="1M"):
        parse_interval(text)


def test_a_feed_gets_every_timeframe_coarser_than_its_own() -> None:
    assert coarser_timeframes(parse_interval("1m")) == (
        "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "2d", "1w", "1M",
    )  # fmt: skip
    assert coarser_timeframes(parse_interval("1h")) == ("2h", "4h", "6h", "8h", "12h", "1d", "2d", "1w", "1M")
    assert coarser_timeframes(parse_interval("1d")) == ("2d", "1w", "1M")


def test_no_bar_is_split_to_make_a_coarser_one() -> None:
    assert coarser_timeframes(parse_interval("2h")) == ("4h", "6h", "8h", "12h", "1d", "2d", "1w", "1M")
    assert coarser_timeframes(parse_interval("2d")) == ()
    assert coarser_timeframes(parse_interval("1w")) == ()
    assert coarser_timeframes(parse_interval("1M")) == ()


def test_minute_and_month_have_tables_that_differ_beyond_case() -> None:
    assert (table_name("1m"), table_name("1M"), table_name("5m")) == ("bars_1m", "bars_1mo", "bars_5m")
