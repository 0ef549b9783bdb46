"""The symbol a file's name tells."""

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files.filenames import symbol_from_name, symbol_from_pattern


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("SPY.csv", "SPY"),
        ("spy.csv", "SPY"),
        ("BTC-PERP_1m_2022-01.csv.gz", "BTC-PERP"),
        ("GBPUSD_M1_2012-02.tsv", "GBPUSD"),
        ("SPY_2011-03.Last.txt", "SPY"),
        ("SPY-2013-10-04.csv", "SPY"),
        ("BTCUSDT-1m-2021-01.csv", "BTCUSDT"),
        ("bitstampUSD_bitcoincharts.csv", "BITSTAMPUSD"),
        ("DAT_ASCII_EURUSD_M1_201202.csv", "EURUSD"),
        ("BINANCE_BTCUSDT, 60.csv", "BTCUSDT"),
        ("missing_column_symbol.csv", None),
        ("us_equities_2020.csv", None),
        ("2020-01-02.csv", None),
        ("DATA.csv", None),
        ("prices.csv", None),
    ],
)
def test_the_first_token_counts_when_it_looks_like_a_ticker(name: str, symbol: str | None) -> None:
    assert symbol_from_name(f"/some/folder/{name}") == symbol


def test_a_pattern_takes_its_group() -> None:
    assert symbol_from_pattern("/x/eq-ibm-2020.csv", r"^eq-([a-z]+)-") == "ibm"
    assert symbol_from_pattern("/x/fx.csv", r"^eq-([a-z]+)-") is None


@pytest.mark.parametrize("pattern", ["([a-z]+", "abc"])
def test_a_pattern_that_cannot_be_used_is_a_settings_error(pattern: str) -> None:
    with pytest.raises(SettingsInvalid, match="symbol_from_name"):
        symbol_from_pattern("/x/abc.csv", pattern)
