"""How each asset class trades in the simulated exchange: ticks, price ranges, volatility, volumes, venues."""

from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import AssetClass

# Relative moves are integers with 20 binary places: 1 << 20 is 100 %.
ONE = 1 << 20


@dataclass(frozen=True, slots=True)
class Traits:
    """An asset class as integers.

    Units: a price is `ticks * tick / 10**decimals` in quote currency, its level starts between `lowest` ticks and
           `lowest * 2**octaves`; `volatility` is a day's move and `gap` the move while closed, in 2**-20.
           A volume is `units / units_per_base` in base units (a power of two, so that sums of floats are exact);
           a day's volume lies between `2**volume_bits` and `2**(volume_bits + volume_octaves)` units.
           `volume_known` false: the market reports none (volume and vwap are null).
    """

    decimals: int
    tick: int
    lowest: int
    octaves: int
    volatility: int
    gap: int
    units_per_base: int = 1
    volume_decimals: int = 0
    volume_bits: int = 17
    volume_octaves: int = 7
    volume_known: bool = True
    venues: tuple[str, ...] = ("SIM",)


_EQUITY = Traits(2, 1, 800, 6, ONE // 100, ONE // 250, venues=("N", "Q", "P", "Z", "V"))

_TRAITS = {
    AssetClass.EQUITY: _EQUITY,
    AssetClass.ETF: _EQUITY,
    AssetClass.INDEX: Traits(2, 1, 50_000, 4, ONE // 120, ONE // 300, volume_known=False),
    AssetClass.FUTURE: Traits(2, 25, 2_000, 4, ONE // 120, ONE // 500, volume_bits=14, volume_octaves=6),
    AssetClass.OPTION: Traits(2, 1, 400, 4, ONE // 30, ONE // 100, volume_bits=11, volume_octaves=4),
    AssetClass.FX: Traits(5, 1, 65_536, 1, ONE // 300, 0, volume_known=False),
    AssetClass.CRYPTO: Traits(
        2, 1, 5_000, 11, ONE // 35, 0, units_per_base=64, volume_decimals=6, volume_bits=15, volume_octaves=6
    ),
    AssetClass.BOND: Traits(5, 3_125, 2_560, 1, ONE // 300, ONE // 800, volume_bits=13, volume_octaves=4),
}


def traits_of(asset_class: AssetClass) -> Traits:
    """The traits of an asset class."""
    return _TRAITS[asset_class]
