"""What the raw parts of a reference say together."""

import pyarrow as pa

from marketdata_pipelines.domain.instruments import (
    ALIAS_SCHEMA,
    INSTRUMENT_RULES,
    INSTRUMENT_SCHEMA,
    STANDING_INSTRUMENT_SCHEMA,
    aliases_of,
    instruments_of,
    standing_instruments,
)
from marketdata_pipelines_tests.instrument_rows import alias, day, raw_part, stretches


def test_nothing_known_is_an_empty_table() -> None:
    found = standing_instruments([])

    assert found.schema == STANDING_INSTRUMENT_SCHEMA
    assert found.num_rows == 0
    assert aliases_of(found).schema == ALIAS_SCHEMA
    assert instruments_of(found).schema == INSTRUMENT_SCHEMA


def test_rows_are_aliases_with_the_description_of_their_instrument() -> None:
    part = raw_part(
        alias("A", "FB", "2012-05-18", "2022-06-08", type="equity", mic="XNAS", tick_size=0.01),
        alias("A", "META", "2022-06-09", name="Meta Platforms"),
        alias("B", None, type="index", name="an index"),
    )

    found = standing_instruments([part])

    assert stretches(found) == ["A FB 2012-05-18..2022-06-08", "A META 2022-06-09..", "B None .."]
    assert found["name"].to_pylist() == ["Meta Platforms", "Meta Platforms", "an index"]
    assert found["tick_size"].to_pylist() == [0.01, 0.01, None]
    assert found["rules"].to_pylist() == [None, None, None]
    assert instruments_of(found)["instrument_id"].to_pylist() == ["A", "B"]
    assert stretches(aliases_of(found)) == ["A FB 2012-05-18..2022-06-08", "A META 2022-06-09.."]


def test_rows_come_in_order_of_instrument_and_date() -> None:
    part = raw_part(alias("B", "Y"), alias("A", "X2", "2010-01-01"), alias("A", "X1", None, "2009-12-31"))

    assert stretches(standing_instruments([part])) == ["A X1 ..2009-12-31", "A X2 2010-01-01..", "B Y .."]


def test_bad_rows_do_not_stand() -> None:
    part = raw_part(alias("A", "X"), alias("B", "Y", rules="instrument_bad_date"))

    assert stretches(standing_instruments([part])) == ["A X .."]


def test_the_last_row_of_an_alias_counts() -> None:
    first = raw_part(alias("A", "FB", "2012-05-18", name="Facebook", currency="USD"))
    second = raw_part(alias("A", "FB", "2012-05-18", "2022-06-08"), alias("A", "META", "2022-06-09", name="Meta"))

    found = standing_instruments([first, second])

    assert stretches(found) == ["A FB 2012-05-18..2022-06-08", "A META 2022-06-09.."]
    assert set(found["name"].to_pylist()) == {"Meta"}
    assert set(found["currency"].to_pylist()) == {"USD"}


def test_a_later_row_may_take_back_an_alias_or_an_instrument() -> None:
    first = raw_part(
        alias("A", "X", "2001-01-01", "2001-12-31"), alias("A", "X", "2003-01-01"), alias("B", "Y", name="old")
    )

    one = standing_instruments([first, raw_part(alias("A", "X", "2003-01-01", status="cancelled"))])
    every = standing_instruments([first, raw_part(alias("A", "X", status="cancelled"))])
    whole = standing_instruments([first, raw_part(alias("B", None, status="cancelled"))])
    again = standing_instruments([first, raw_part(alias("B", None, status="cancelled"), alias("B", "Z"))])

    assert stretches(one) == ["A X 2001-01-01..2001-12-31", "B Y .."]
    assert stretches(every) == ["A None ..", "B Y .."]
    assert stretches(whole) == ["A X 2001-01-01..2001-12-31", "A X 2003-01-01.."]
    assert stretches(again)[-1] == "B Z .."
    assert again["name"].to_pylist()[-1] is None


def test_taking_back_what_was_never_there_is_nothing() -> None:
    part = raw_part(alias("A", "X", "2001-01-01", status="cancelled"), alias("B", None, status="cancelled"))

    assert standing_instruments([part]).num_rows == 0


def test_a_file_of_all_of_an_instruments_aliases_replaces_those_before() -> None:
    first = raw_part(alias("QQQ", "QQQ", "1999-03-10", whole=True), alias("OTHER", "O"))
    second = raw_part(
        alias("QQQ", "QQQ", "1999-03-11", "2004-11-30", whole=True), alias("QQQ", "QQQQ", "2004-12-01", whole=True)
    )

    found = standing_instruments([first, second])

    assert stretches(found) == ["OTHER O ..", "QQQ QQQ 1999-03-11..2004-11-30", "QQQ QQQQ 2004-12-01.."]


def test_aliases_that_contradict_each_other_are_kept_and_flagged() -> None:
    part = raw_part(
        alias("GOOG", "GOOG", "2014-03-27"),
        alias("GOOGL", "GOOG", "2004-08-19", "2014-04-02"),
        alias("GOOGL", "GOOGL", "2014-04-03"),
    )

    assert standing_instruments([part])["rules"].to_pylist() == ["alias_overlap", "alias_overlap", None]


def test_an_instruments_end_closes_its_open_alias() -> None:
    part = raw_part(
        alias("A", "X", "2001-01-01", delisted=day("2009-06-01")), alias("B", "ESZ3", expiry=day("2013-12-20"))
    )

    assert stretches(standing_instruments([part])) == ["A X 2001-01-01..2009-06-01", "B ESZ3 ..2013-12-20"]


def test_parts_in_chunks_stand_like_whole_ones() -> None:
    rows = [alias(f"I{number}", f"S{number}", "2001-01-01", name=f"N{number}") for number in range(9)]
    chunked = pa.concat_tables([raw_part(row) for row in rows])

    assert standing_instruments([chunked]).equals(standing_instruments([raw_part(*rows)]))


def test_rules_have_their_own_ids() -> None:
    ids = [rule.id for rule in INSTRUMENT_RULES]

    assert len(set(ids)) == len(ids)
