"""What a feed's faults may ask for."""

import pytest

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.rules import defect_kinds
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.rates import FAULT_KINDS, FaultRate, fault_rates, quiet_rate
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed


def test_every_row_fault_is_a_defect_some_rule_names() -> None:
    named = {kind for kinds in defect_kinds().values() for kind in kinds}

    assert set(FAULT_KINDS) - named == {"gap_missing_minutes"}


def test_rates_keep_the_feeds_order_and_leave_out_zeros_and_quiet_minutes() -> None:
    feed = simulated_feed(faults=(("dup_exact", 3), ("zero_price", 0), ("quiet_minutes", 0.5), ("bad_timestamp", 0.01)))

    assert fault_rates(feed) == (FaultRate("dup_exact", 3), FaultRate("bad_timestamp", 0.01))
    assert quiet_rate(feed) == 0.5


def test_two_minutes_in_a_thousand_are_quiet_unless_asked_otherwise() -> None:
    assert quiet_rate(simulated_feed()) == 0.002


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("high_below_low", 1), "fault 'high_below_low' is unknown; use one of: high_lt_low, "),
        (("zero_price", -0.1), "fault zero_price has rate -0.1; give a share of rows below 1 or a whole number"),
        (("zero_price", 1.5), "fault zero_price has rate 1.5"),
    ],
)
def test_a_wrong_fault_says_what_is_allowed(fault: tuple[str, float], message: str) -> None:
    with pytest.raises(SettingsInvalid, match=message):
        fault_rates(simulated_feed(faults=(fault,)))


@pytest.mark.parametrize(
    ("feed", "reason"),
    [
        (simulated_feed(faults=(("high_lt_low", 1),), data=DataKind.TRADES), "fault of bars and the feed has trades"),
        (simulated_feed("fx", faults=(("negative_volume", 1),)), "simulated fx feeds have no volume"),
        (simulated_feed("fx", faults=(("out_of_session", 1),)), "nothing is out of session"),
        (simulated_feed(interval="1d", faults=(("gap_missing_minutes", 1),)), "bars of 1d carry a date only"),
    ],
)
def test_a_fault_the_rows_cannot_have_is_refused(feed: Feed, reason: str) -> None:
    with pytest.raises(SettingsInvalid, match=reason):
        fault_rates(feed)


@pytest.mark.parametrize("rate", [-0.1, 1, 30])
def test_a_quiet_rate_is_a_share(rate: float) -> None:
    with pytest.raises(SettingsInvalid, match="give a share of minutes"):
        quiet_rate(simulated_feed(faults=(("quiet_minutes", rate),)))
