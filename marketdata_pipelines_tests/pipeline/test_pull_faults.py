"""Whatever goes wrong on the way, the lake ends as it does when nothing goes wrong."""

from pathlib import Path

import pytest

from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import walk_stale
from marketdata_pipelines_tests.sources.exchange.exchanges import (
    every,
    exchange_up,
    lake_at,
    ledger,
    pull_all,
    pulled_feed,
    without_origins,
)

KEYS = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-04", "2024-07-05"]
# In the middle of Friday's session, on no minute.
NOW = "2024-07-05 15:30:20"
ALL = tuple((kind, 0.05 if kind is ExchangeFault.TIMEOUT else 0.09) for kind in ExchangeFault)


def outcome(lake: Lake, faults: FaultPlan | None) -> tuple[dict[str, bytes], list[tuple[object, ...]], int]:
    """Everything in the lake but the vendor's own bytes, the ledger, and how many calls it took."""
    with exchange_up(now=NOW, faults=faults) as served:
        feed = pulled_feed(served.url, page_rows=200, timeout_seconds=0.5 if _has_timeouts(faults) else 60.0)
        pull_all(lake, feed, KEYS, served.clock, attempts=40)
        calls = served.calls()
    walk_stale(lake, feed)
    return without_origins(lake), ledger(lake), calls


def _has_timeouts(faults: FaultPlan | None) -> bool:
    return faults is not None and ExchangeFault.TIMEOUT in dict(faults.rates)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[tuple[object, ...]], int]:
    return outcome(lake_at(tmp_path_factory.mktemp("undisturbed")), None)


@pytest.mark.parametrize("kind", list(ExchangeFault))
def test_under_a_fault_the_lake_ends_equal(
    kind: ExchangeFault, undisturbed: tuple[dict[str, bytes], list[tuple[object, ...]], int], tmp_path: Path
) -> None:
    files, recorded, calls = outcome(lake_at(tmp_path), every(kind))

    assert files == undisturbed[0]
    assert recorded == undisturbed[1]
    # The fault was there: calls were repeated, or the answers were others.
    spoils_only_rows = kind in (ExchangeFault.DUPLICATE, ExchangeFault.OVERLAP, ExchangeFault.UNFINISHED)
    assert (calls == undisturbed[2]) is spoils_only_rows


@pytest.mark.parametrize("seed", range(4))
def test_under_all_faults_together_the_lake_ends_equal(
    seed: int, undisturbed: tuple[dict[str, bytes], list[tuple[object, ...]], int], tmp_path: Path
) -> None:
    files, recorded, _ = outcome(lake_at(tmp_path), FaultPlan(rates=ALL, seed=seed))

    assert files == undisturbed[0]
    assert recorded == undisturbed[1]
