"""Yahoo's dividends as they were paid."""

import pytest

from marketdata_pipelines.sources.reference.actions_csv import read_actions_csv
from marketdata_pipelines.sources.reference.yahoo_amounts import restore_amounts
from marketdata_pipelines_tests.builders import column

HISTORY = (
    b"Date,Dividends,Stock Splits\n2014-05-08,0.1175,0.0\n2014-06-09,0.0,7.0\n2014-08-07,0.1175,0.0\n"
    b"2020-08-31,0.0,4.0\n2020-11-06,0.205,0.0\n"
)


def test_amounts_are_multiplied_by_the_splits_after_them() -> None:
    found = restore_amounts(read_actions_csv(HISTORY, "AAPL.csv"))

    assert column(found, "kind") == ["cash_dividend", "split", "cash_dividend", "split", "cash_dividend"]
    assert column(found, "amount") == [pytest.approx(3.29), None, pytest.approx(0.47), None, 0.205]


def test_splits_of_other_symbols_cancelled_and_bad_ones_play_no_part() -> None:
    text = (
        b"symbol,date,kind,amount,ratio,status\nA,2020-01-02,dividend,1,,\nB,2020-01-03,split,,2,\n"
        b"A,2020-01-03,split,,3,cancelled\nA,2020-01-06,split,,-1,\n"
    )

    assert column(restore_amounts(read_actions_csv(text, "a.csv")), "amount")[0] == 1.0
