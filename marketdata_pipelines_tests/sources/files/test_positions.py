"""Columns without names are recognised by what they hold."""

from marketdata_pipelines.sources.files.positions import guess_positions

TIMES = [f"2013-10-07T13:3{minute}:00Z" for minute in range(5)]
OPENS = ["10.1", "10.2", "10.3", "10.2", "10.4"]
HIGHS = ["10.5", "10.6", "10.4", "10.7", "10.9"]
LOWS = ["10.0", "10.1", "10.2", "10.0", "10.3"]
CLOSES = ["10.2", "10.3", "10.2", "10.4", "10.5"]
VOLUMES = ["100", "5", "70", "900", "31"]


def test_symbol_time_prices_and_volume() -> None:
    found = guess_positions([["SPY"] * 5, TIMES, OPENS, HIGHS, LOWS, CLOSES, VOLUMES], ".")

    assert found == {"symbol": "1", "ts": "2", "open": "3", "high": "4", "low": "5", "close": "6", "volume": "7"}


def test_prices_in_another_order_are_told_by_the_highest_and_the_lowest() -> None:
    epochs = [str(1609459200 + 60 * minute) for minute in range(5)]

    found = guess_positions([epochs, LOWS, HIGHS, OPENS, CLOSES, VOLUMES], ".")

    assert found == {"ts": "1", "low": "2", "high": "3", "open": "4", "close": "5", "volume": "6"}


def test_date_and_clock_are_one_time() -> None:
    clocks = ["09:30", "09:31", "09:32", "09:33", "09:34"]

    found = guess_positions([["01/02/1998"] * 5, clocks, OPENS, HIGHS, LOWS, CLOSES, VOLUMES], ".")

    assert found is not None
    assert found["ts"] == "1+2"
    assert found["open"] == "3"


def test_a_price_and_an_amount_are_trades_and_a_trade_id_is_neither() -> None:
    epochs = [str(1609459200000 + 10 * tick) for tick in range(5)]
    ids = ["501", "502", "503", "505", "509"]

    assert guess_positions([epochs, OPENS, VOLUMES], ".") == {"ts": "1", "price": "2", "size": "3"}
    assert guess_positions([ids, OPENS, ["0.5"] * 5, epochs], ".") == {"ts": "4", "price": "2", "size": "3"}


def test_without_a_time_nothing_is_guessed() -> None:
    assert guess_positions([OPENS, HIGHS, LOWS, CLOSES], ".") is None
