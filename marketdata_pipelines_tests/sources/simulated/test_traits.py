"""What each asset class trades like."""

import pytest

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.sources.simulated.traits import traits_of


@pytest.mark.parametrize("asset_class", AssetClass)
def test_units_of_volume_are_powers_of_two_so_that_sums_are_exact(asset_class: AssetClass) -> None:
    units = traits_of(asset_class).units_per_base

    assert units & (units - 1) == 0
    assert float(f"{1 / units:.{traits_of(asset_class).volume_decimals}f}") == 1 / units


@pytest.mark.parametrize("asset_class", AssetClass)
def test_a_level_moves_by_a_few_percent_a_day(asset_class: AssetClass) -> None:
    assert 0.001 < traits_of(asset_class).volatility / (1 << 20) < 0.04
