"""Last trading days by the venues' rules, against days on which contracts did expire."""

from datetime import date

import pytest

from marketdata_pipelines.domain.contracts import ContractMonth, parse_contract_name
from marketdata_pipelines.domain.expiries import expiry_by_rule
from marketdata_pipelines_tests.builders import day


@pytest.mark.parametrize(
    ("contract", "expired"),
    [
        ("ESZ2013", "2013-12-20"),
        # The third Friday of March 2008 was Good Friday.
        ("ESH2008", "2008-03-20"),
        ("NQM2024", "2024-06-21"),
        # The third Friday of June 2026 is a holiday in Chicago and none in Frankfurt.
        ("ESM2026", "2026-06-18"),
        ("FDAXM2026", "2026-06-19"),
        # The third Wednesday is the 18th; two business days before it.
        ("6EZ2013", "2013-12-16"),
        ("CLF2014", "2013-12-19"),
        # April 25th 2020 was a Saturday: counted from Friday the 24th; the day after prices had gone below zero.
        ("CLK2020", "2020-04-21"),
        ("NGF2014", "2013-12-27"),
        # Thanksgiving is no business day, though the exchange trades for some hours.
        ("NGZ2013", "2013-11-26"),
        ("HOF2014", "2013-12-31"),
        ("GCZ2013", "2013-12-27"),
        ("ZNZ2013", "2013-12-19"),
        ("ZFZ2013", "2013-12-31"),
        # The 15th is a Sunday.
        ("ZCZ2013", "2013-12-13"),
    ],
)
def test_a_known_rule_gives_the_day_the_contract_expired(contract: str, expired: str) -> None:
    name = parse_contract_name(contract)
    assert name is not None

    assert expiry_by_rule(name.root, ContractMonth(name.year, name.month)) == day(expired)


def test_a_root_without_a_known_rule_has_none() -> None:
    assert expiry_by_rule("XYZ", ContractMonth(2013, 12)) is None


def test_months_beyond_the_calendar_count_weekdays() -> None:
    expiry = expiry_by_rule("ES", ContractMonth(2090, 12))

    assert expiry == date(2090, 12, 15)
