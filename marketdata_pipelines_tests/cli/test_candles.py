"""Candlesticks for a terminal."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from marketdata_pipelines.cli.candles import draw_candles


def _bars(*prices: tuple[float, float, float, float], volume: float | None = 10.0) -> pa.Table:
    start = datetime(2024, 3, 8, tzinfo=UTC)
    columns = dict(zip(("open", "high", "low", "close"), zip(*prices, strict=True), strict=True))
    days = [start + timedelta(days=position) for position in range(len(prices))]
    return pa.table(
        {"ts": days, **{k: list(v) for k, v in columns.items()}, "volume": pa.array([volume] * len(prices))}
    )


def _cells(bars: pa.Table, height: int) -> list[str]:
    return [line.plain[10:] for line in draw_candles(bars, width=80, height=height)]


def test_wick_and_body_are_drawn_where_their_prices_are() -> None:
    lines = _cells(_bars((1.0, 4.0, 0.0, 3.0)), height=2)

    assert lines[:2] == ["╽", "╿"]


def test_a_bar_without_movement_is_still_seen() -> None:
    assert _cells(_bars((1.0, 1.0, 1.0, 1.0)), height=3)[2] == "╻"


def test_only_the_last_bars_that_fit_are_shown() -> None:
    bars = _bars(*[(1.0, 2.0, 0.5, 1.5)] * 100)

    assert {len(line.plain) for line in draw_candles(bars, width=50)[:-1]} == {50}


def test_unknown_volume_is_an_empty_line() -> None:
    bars = _bars((1.0, 2.0, 0.5, 1.5)).set_column(5, "volume", pa.nulls(1, pa.float64()))

    assert _cells(bars, height=2)[2] == " "
