"""Which fault a call to the simulated exchange gets."""

from collections import Counter

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan, fault_rates


def test_a_schedule_comes_first_and_then_chance() -> None:
    plan = FaultPlan(rates=((ExchangeFault.RESET, 0.999),), schedule=(None, ExchangeFault.ERROR))

    assert [plan.fault_of(call) for call in range(3)] == [None, ExchangeFault.ERROR, ExchangeFault.RESET]


def test_shares_are_kept_and_the_same_seed_gives_the_same_faults() -> None:
    plan = FaultPlan(rates=fault_rates(["error=0.2", "reset=0.1"]), seed=4)

    found = Counter(plan.fault_of(call) for call in range(5_000))

    assert 900 < found[ExchangeFault.ERROR] < 1_100
    assert 420 < found[ExchangeFault.RESET] < 580
    assert set(found) == {None, ExchangeFault.ERROR, ExchangeFault.RESET}
    again = FaultPlan(rates=fault_rates(["error=0.2", "reset=0.1"]), seed=4)
    assert [again.fault_of(call) for call in range(50)] == [plan.fault_of(call) for call in range(50)]


def test_all_means_each_kind_and_a_later_word_counts() -> None:
    rates = dict(fault_rates(["all=0.02", "timeout=0"]))

    assert set(rates) == set(ExchangeFault)
    assert (rates[ExchangeFault.RESET], rates[ExchangeFault.TIMEOUT]) == (0.02, 0.0)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["fire=0.1"], "fault 'fire' is unknown"), (["error"], "gives no share"), (["error=x"], "gives no share"),
        (["error=1"], "from 0 to below 1"), (["error=-0.1"], "from 0 to below 1"), (["all=0.2"], "add up to 1.60"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(texts: list[str], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        fault_rates(texts)
