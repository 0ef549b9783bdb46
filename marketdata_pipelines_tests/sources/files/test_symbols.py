"""What a symbol may look like."""

import pytest

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.sources.files.symbols import SymbolJudge

FINE = (
    *(
        "SPY",
        "BRK.B",
        "BRK-B",
        "BF.B",
        "^GSPC",
        "$SPX",
        ".SPX",
        "ES=F",
        "EURUSD=X",
        "BTC-USD",
        "BTC/USD",
        "BTC/USDT:USDT",
    ),
    *("ES_201312", "1000PEPEUSDT", "005930.KS", "BRK B", "GBPUSD.BID", "NAN", "NA", "TRUE", "BACpL", "ES1!", "M&M.NS"),
)


def judge(symbol: str, *others: str, known: tuple[str, ...] = (), asset: AssetClass = AssetClass.EQUITY) -> str | None:
    found = SymbolJudge(known, asset)
    found.learn(others or ("SPY",) * 20)
    return found.rule(symbol)


@pytest.mark.parametrize("symbol", FINE)
def test_real_symbols_are_fine(symbol: str) -> None:
    assert judge(symbol) is None


@pytest.mark.parametrize(
    ("symbol", "rule"),
    [
        *((text, "symbol_missing") for text in ("", "   ", "NULL", "null", "None", "nan", "NaN", "\\N", "#N/A")),
        *((text, "symbol_case") for text in ("spy", " SPY", "SPY ", "Sym", "SPY\u00a0", "SPY\t")),
        *((text, "symbol_formula") for text in ("=cmd|'/C calc'!A0", "@SUM(1+1)", "+1+1", "-2+3", "\t=1+1")),
        *(
            (text, "symbol_unicode")
            for text in ("\uff33\uff30\uff39", "S\u03a1Y", "SPY\u200b", "\u202eYPS", "SPY\u0301")
        ),
        *((text, "symbol_path") for text in ("../../x", "..\\x", "/etc/passwd", "a/b", "%2e%2e%2fx", ".", "..", "CON")),
        *((text, "symbol_path") for text in ("LPT1", "com1.txt", "X" * 33, "BAC/../y")),
        *(
            (text, "symbol_hostile")
            for text in ("IBM'; DROP TABLE bars;--", "BAC;rm -rf x", "<b>", 'A"B', "A`B", "A|B")
        ),
    ],
)
def test_other_symbols_are_named_by_what_is_wrong(symbol: str, rule: str) -> None:
    assert judge(symbol) == rule


def test_a_listed_symbol_is_fine_whatever_it_looks_like() -> None:
    assert judge("CON", known=("CON", "spy")) is None
    assert judge("SPY", known=("CON",)) == "symbol_unknown"


def test_crypto_symbols_may_mix_letters() -> None:
    assert judge("kPEPE", "BTC", "ETH", asset=AssetClass.CRYPTO) is None
    assert judge("btc-usd", "BTC-USD", asset=AssetClass.CRYPTO) == "symbol_case"


def test_a_file_in_small_letters_has_its_own_case() -> None:
    assert judge("spy", "spy", "aapl") is None
    assert judge("SPY", "spy", "aapl") == "symbol_case"


def test_blanks_that_pad_every_symbol_are_layout() -> None:
    padded = SymbolJudge((), AssetClass.EQUITY)
    padded.learn(["SPY   ", "AAPL  ", "IBM   "])

    assert padded.rule("MSFT  ") is None
    assert padded.name("MSFT  ") == "MSFT"
