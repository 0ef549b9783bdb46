"""Files of instruments into rows, good and bad."""

import codecs
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.instruments import INSTRUMENT_RULES, RAW_INSTRUMENT_SCHEMA, standing_instruments
from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.instruments_csv import read_instruments
from marketdata_pipelines_tests.instrument_rows import stretches

RULE_IDS = {rule.id for rule in INSTRUMENT_RULES} | set(RULE_BY_ID)
CELL = st.sampled_from(
    [
        "",
        "A",
        "X",
        "2014-04-03",
        "20140402",
        "9999-12-31",
        "equity",
        "0.01",
        "-1",
        "cancelled",
        '"',
        "a,b",
        "\0",
        "é",
        "\n",
    ]
)


def read(text: str, name: str = "us.csv", style: str = "auto") -> pa.Table:
    return read_instruments(text.encode(), name, style)


def test_a_row_is_an_alias_and_describes_its_instrument() -> None:
    found = read(
        "Instrument_ID,Symbol,From,To,Type,MIC,Currency,Tick Size,Lot,Multiplier,Listed,Delisted,Name,Root,Expiry\n"
        'ESZ13,ESZ3,2012-09-21,2013-12-20,Future,xcme,usd,0.25,1,50,2012-09-21,,"E-mini, December",ES,2013-12-20\n'
    )

    assert found.schema == RAW_INSTRUMENT_SCHEMA
    row = {name: str(value) for name, value in found.to_pylist()[0].items() if value is not None}
    assert row == {
        "row": "1", "line": "2", "instrument_id": "ESZ13", "symbol": "ESZ3", "from_date": "2012-09-21",
        "to_date": "2013-12-20", "type": "future", "mic": "XCME", "currency": "USD", "tick_size": "0.25",
        "lot_size": "1.0", "multiplier": "50.0", "listed": "2012-09-21", "name": "E-mini, December", "root": "ES",
        "expiry": "2013-12-20",
    }  # fmt: skip


def test_bad_rows_keep_their_place_rules_and_text() -> None:
    found = read(
        "instrument_id,symbol,from,to,type\n"
        "A,X,2014-13-01,,equity\n"
        "\n"
        ",X,,,\n"
        "B,X,2014-01-02,2014-01-01,\n"
        'C,"X\tY",2014-01-02,,warrant\n'
        "D,,2014-01-02,,\n"
        "E,X,,,,more\n"
        "F,Z,,,equity\n"
    )

    assert list(zip(*(found[name].to_pylist() for name in ("row", "line", "rules")), strict=True)) == [
        (1, 2, "instrument_bad_date"),
        (2, 4, "instrument_no_id"),
        (3, 5, "instrument_bad_range"),
        (4, 6, "instrument_bad_symbol;instrument_unknown_type"),
        (5, 7, "instrument_no_symbol"),
        (6, 8, "row_too_long"),
        (7, 9, None),
    ]
    assert found["original"].to_pylist()[0] == "A,X,2014-13-01,,equity"
    assert found["original"].to_pylist()[-1] is None


def test_a_quote_left_open_spoils_one_row() -> None:
    found = read('instrument_id,symbol,name\nA,X,"open\nB,Y,"closed, ""quoted"""\nC,Z,\n')

    assert found["rules"].to_pylist() == ["unclosed_quote", None, None]
    assert found["name"].to_pylist() == [None, 'closed, "quoted"', None]


def test_a_short_row_and_a_separator_at_the_end_are_no_fault() -> None:
    found = read("instrument_id;symbol;from;name\nA;X\nB;Y;2014-01-02;two;\n")

    assert found["rules"].to_pylist() == [None, None]
    assert found["symbol"].to_pylist() == ["X", "Y"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf \n\n", "empty_file"),
        (b"\0\0\0\0", "empty_file"),
        (b"instrument_id,symbol\n", "no_rows"),
        (b"symbol,from,to\nA,,\n", "missing_column"),
        (b"instrument_id,symbol,ticker\nA,B,C\n", "duplicate_header"),
        (b"PK\x03\x04\x14\0\0\0", "missing_column"),
    ],
)
def test_files_are_refused_with_their_rule(content: bytes, rule: str) -> None:
    with pytest.raises(SourceRejected, match=r"^us\.csv") as refused:
        read_instruments(content, "us.csv")
    assert refused.value.rule == rule


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_the_usual_encodings_are_recognised(encoding: str) -> None:
    text = "instrument_id,symbol,name\nA,X,Société\nB,Y,two\nC,Z,three\n"

    found = read_instruments(text.encode(encoding), "us.csv")

    assert found["name"].to_pylist() == ["Société", "two", "three"]


def test_unreadable_bytes_spoil_only_their_row() -> None:
    found = read_instruments(b"instrument_id,symbol\nA,X\xff\nB,Y\nC,Z\0\n", "us.csv")

    assert found["rules"].to_pylist() == ["instrument_bad_symbol", None, "instrument_bad_symbol"]


def test_a_field_beyond_any_limit_spoils_only_its_row() -> None:
    found = read(f"instrument_id,symbol\nA,{'X' * 200_000}\nB,Y\n")

    assert found["rules"].to_pylist()[-1] is None
    assert found["rules"].to_pylist()[0] is not None


def test_a_map_file_is_the_whole_of_its_instrument() -> None:
    found = read("19990310,qqq,Q\n20041130,qqq,Q\n20110322,qqqq,Q\n20x,q\n20501231,qqq,Q\n", "maps/qqq.csv")

    assert found["rules"].to_pylist() == [None, None, "map_bad_date", None]
    assert found["row"].to_pylist() == [2, 3, 4, 5]
    assert found["whole"].to_pylist() == [True, True, None, True]
    assert set(found["mic"].drop_null().to_pylist()) == {"XNAS"}
    assert stretches(standing_instruments([found])) == [
        "QQQ QQQ 1999-03-10..2004-11-30",
        "QQQ QQQQ 2004-12-01..2011-03-22",
        "QQQ QQQ 2011-03-23..",
    ]


def test_a_newer_map_file_replaces_the_older() -> None:
    old = read("20120518,fb\n20501231,fb\n", "meta.csv")
    new = read("20120518,fb\n20220608,fb\n20501231,meta\n", "meta.csv")

    assert stretches(standing_instruments([old, new])) == ["META FB 2012-05-18..2022-06-08", "META META 2022-06-09.."]


def test_a_delisted_ticker_reused_years_later_is_two_instruments() -> None:
    first = read("19980102,gm\n20090601,gm\n", "gm.csv")
    second = read("20101118,gm,N\n20501231,gm,N\n", "gm.1.csv")

    assert stretches(standing_instruments([first, second])) == ["GM GM 1998-01-02..2009-06-01", "GM.1 GM 2010-11-18.."]


def test_an_asked_for_style_is_not_guessed() -> None:
    with pytest.raises(SourceRejected) as refused:
        read("19990310,qqq,Q\n20501231,qqq,Q\n", "qqq.csv", "instruments")
    assert refused.value.rule == "missing_column"
    assert read("what,ever\n", "qqq.csv", "lean_map")["rules"].to_pylist() == ["map_bad_date"]


def test_the_real_map_files_have_no_bad_row(shared_data: Path) -> None:
    for path in sorted((shared_data / "corporate_actions").glob("*.map.csv")):
        found = read_instruments(path.read_bytes(), path.name)

        assert found["rules"].null_count == found.num_rows > 0
        assert set(found["instrument_id"].to_pylist()) == {path.name.removesuffix(".map.csv")}


@given(st.lists(st.lists(CELL, max_size=7), max_size=6))
def test_rows_of_any_cells_are_good_or_bad_with_known_rules(rows: list[list[str]]) -> None:
    text = "instrument_id,symbol,from,to,type,tick_size,status\n" + "\n".join(",".join(row) for row in rows)

    _check(text.encode())


@given(st.binary(max_size=300), st.sampled_from([b"", codecs.BOM_UTF16_LE, b"instrument_id,symbol\n", b"20010102,a\n"]))
def test_any_bytes_give_rows_or_a_refusal(content: bytes, head: bytes) -> None:
    _check(head + content)


def _check(content: bytes) -> None:
    refused = None
    try:
        found = read_instruments(content, "x.csv")
    except SourceRejected as error:
        refused = error.rule
    if refused is not None:
        assert refused in RULE_BY_ID
        return
    found.validate(full=True)
    rules = {rule for text in found["rules"].drop_null().to_pylist() for rule in text.split(";")}
    assert rules <= RULE_IDS
    standing_instruments([found]).validate(full=True)
