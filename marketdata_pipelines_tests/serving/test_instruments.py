"""What is known of a feed's instruments."""

from datetime import date

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.instruments import standing_instruments
from marketdata_pipelines.errors import ReferenceConflict, SettingsInvalid
from marketdata_pipelines.serving.instruments import (
    RESOLUTION_SCHEMA,
    feed_instruments,
    list_instruments,
    resolve_instrument,
    resolve_symbol,
)
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.instrument_rows import alias, raw_part, stretches

D = date
KNOWN = standing_instruments(
    [
        raw_part(
            alias("METV", "META", "2021-06-30", "2022-01-28", type="etf", name="a fund"),
            alias("FACEBOOK", "FB", "2012-05-18", "2022-06-08", type="equity", mic="XNAS", currency="USD"),
            alias("FACEBOOK", "META", "2022-06-09"),
            alias("SPX", None, type="index"),
        )
    ]
)


def found(table: pa.Table) -> dict[str, str]:
    """The columns that have a value, as text."""
    assert table.schema == RESOLUTION_SCHEMA
    return {name: str(value) for name, value in table.to_pylist()[0].items() if value is not None}


def test_a_symbol_is_somebodys_and_was_somebody_elses_before() -> None:
    assert found(resolve_symbol(KNOWN, "META", D(2023, 1, 3))) == {
        "symbol": "META",
        "on": "2023-01-03",
        "instrument_id": "FACEBOOK",
        "state": "resolved",
        "from_date": "2022-06-09",
        "type": "equity",
        "mic": "XNAS",
        "currency": "USD",
        "before": "METV until 2022-01-28",
    }


def test_a_symbol_on_a_day_of_nobody_says_whose_it_was_and_will_be() -> None:
    assert found(resolve_symbol(KNOWN, "META", D(2022, 3, 1))) == {
        "symbol": "META",
        "on": "2022-03-01",
        "state": "unresolved",
        "before": "METV until 2022-01-28",
        "after": "FACEBOOK from 2022-06-09",
    }


def test_a_symbol_nobody_knows_is_unknown() -> None:
    assert found(resolve_symbol(KNOWN, "ZZ", D(2022, 3, 1))) == {
        "symbol": "ZZ",
        "on": "2022-03-01",
        "instrument_id": "symbol:ZZ",
        "state": "unknown",
    }


def test_an_instrument_says_what_it_was_called_around_then() -> None:
    answer = found(resolve_instrument(KNOWN, "FACEBOOK", D(2015, 1, 2)))

    assert (answer["symbol"], answer["after"]) == ("FB", "META from 2022-06-09")
    assert (answer["from_date"], answer["to_date"]) == ("2012-05-18", "2022-06-08")
    assert found(resolve_instrument(KNOWN, "FACEBOOK", D(2010, 1, 4)))["state"] == "unresolved"


def test_contradictions_are_refused_with_who_claims_the_symbol() -> None:
    both = standing_instruments([raw_part(alias("A", "X", "2001-01-01"), alias("B", "X", "2002-01-01"))])

    with pytest.raises(ReferenceConflict, match=r"X is the symbol of two instruments from 2002-01-01 to now \(A, B\)"):
        resolve_symbol(both, "X", D(2003, 1, 2))
    assert found(resolve_symbol(both, "X", D(2001, 6, 1)))["after"] == "A and B from 2002-01-01"


def test_the_listing_is_all_or_what_was_asked_for() -> None:
    assert list_instruments(KNOWN).equals(KNOWN)
    assert stretches(list_instruments(KNOWN, symbol="META")) == [
        "FACEBOOK META 2022-06-09..",
        "METV META 2021-06-30..2022-01-28",
    ]
    assert stretches(list_instruments(KNOWN, instrument_id="SPX")) == ["SPX None .."]
    assert stretches(list_instruments(KNOWN, on=D(2022, 1, 28))) == [
        "FACEBOOK FB 2012-05-18..2022-06-08",
        "METV META 2021-06-30..2022-01-28",
    ]


def test_an_unknown_instrument_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="META is a symbol of METV, FACEBOOK"):
        list_instruments(KNOWN, instrument_id="META")
    with pytest.raises(SettingsInvalid, match="there is no instrument 'NOBODY'"):
        resolve_instrument(KNOWN, "NOBODY", D(2022, 1, 3))


def test_a_feed_that_names_no_instruments_says_how_to(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match=r"feed names no instruments; in feeds\.yaml add `instruments: NAME`"):
        feed_instruments(lake, make_feed(), {})
