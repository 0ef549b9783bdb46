"""Corporate actions from any file's bytes."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.actions import ACTION_RULE_BY_ID, RAW_ACTION_SCHEMA, standing_actions
from marketdata_pipelines.domain.instruments import INSTRUMENT_RULES
from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.actions import ActionStyle, guess_style, read_actions
from marketdata_pipelines_tests.builders import column

RULES = {*ACTION_RULE_BY_ID, *RULE_BY_ID, *(rule.id for rule in INSTRUMENT_RULES)}
OWN = (
    b"symbol,ex_date,kind,ratio,amount,new_symbol,status\nAAPL,2014-06-09,split,7:1,,,\nA,2014-06-10,dividend,,1.5,,\n"
)
FACTORS = b"19980102,0.8613657,0.00892857,1\n20140606,0.9011818,0.03571430,645.57\n20501231,1,1,0\n"
MAP = b"19990310,qqq,Q\n20041130,qqq,Q\n20110322,qqqq,Q\n20501231,qqq,Q\n"


@pytest.mark.parametrize(
    ("content", "name", "style"),
    [
        (OWN, "x.csv", ActionStyle.ACTIONS),
        (OWN.decode().encode("utf-16"), "x.csv", ActionStyle.ACTIONS),
        (FACTORS, "aapl.csv", ActionStyle.LEAN_FACTORS),
        (FACTORS.decode().encode("utf-8-sig"), "aapl.csv", ActionStyle.LEAN_FACTORS),
        (b"broken\n" + FACTORS, "AAPL.factor.csv", ActionStyle.LEAN_FACTORS),
        (MAP, "qqq.csv", ActionStyle.LEAN_MAP),
        (b"broken\n" + MAP, "QQQ.map.csv", ActionStyle.LEAN_MAP),
        (b"Date,Dividends,Stock Splits\n", "AAPL.csv", ActionStyle.ACTIONS),
    ],
)
def test_a_style_is_guessed_from_the_first_line_or_the_name(content: bytes, name: str, style: ActionStyle) -> None:
    assert guess_style(content, name) is style


def test_each_style_is_read_as_it_says() -> None:
    assert column(read_actions(OWN, "x.csv"), "kind") == ["split", "cash_dividend"]
    assert column(read_actions(FACTORS, "AAPL.factor.csv"), "kind") == ["factor", "split", "factor", "split"]
    assert column(read_actions(MAP, "QQQ.map.csv"), "kind") == ["symbol_change", "symbol_change"]


def test_only_the_style_yahoo_restores_amounts() -> None:
    text = b"Date,Symbol,Stock Splits,Dividends\n2014-05-08,AAPL,0,0.47\n2014-06-09,AAPL,7,0\n"

    assert column(read_actions(text, "x.csv"), "amount") == [0.47, None]
    assert column(read_actions(text, "x.csv", "yahoo"), "amount") == [pytest.approx(3.29), None]


def test_a_style_that_is_none_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="lean"):
        read_actions(OWN, "x.csv", "lean")


def test_the_real_files_are_read_without_a_bad_row(shared_data: Path) -> None:
    files = sorted((shared_data / "corporate_actions").glob("*.csv"))

    parts = [read_actions(path.read_bytes(), path.name) for path in files]

    assert sum(part["rules"].null_count for part in parts) == sum(part.num_rows for part in parts) == 202
    assert standing_actions(parts).num_rows == 202


def check(content: bytes, name: str, style: str) -> None:
    """Any bytes give rows whose rules are known, or a refusal whose rule is."""
    refused: str | None = None
    try:
        found = read_actions(content, name, style)
    except SourceRejected as error:
        refused, found = error.rule, RAW_ACTION_SCHEMA.empty_table()
    assert refused is None or refused in RULES
    assert found.schema == RAW_ACTION_SCHEMA
    for text in column(found, "rules"):
        assert set((text or "").split(";")) <= {*RULES, ""}
    assert column(found, "row") == sorted(column(found, "row"))
    standing_actions([found])


@settings(max_examples=300)
@given(
    st.binary(max_size=400),
    st.sampled_from(["x.csv", "aapl.factor.csv", "q.map.csv", ""]),
    st.sampled_from(ActionStyle),
)
def test_any_bytes_give_rows_or_a_refusal(content: bytes, name: str, style: ActionStyle) -> None:
    check(content, name, style)


@settings(max_examples=400)
@given(
    st.sampled_from([OWN, FACTORS, MAP, OWN.decode().encode("utf-16"), gzip.compress(OWN)]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=6)), min_size=1, max_size=5),
    st.sampled_from(ActionStyle),
)
def test_damaged_files_give_rows_or_a_refusal(
    content: bytes, damages: list[tuple[int, int, bytes]], style: ActionStyle
) -> None:
    for at, length, new in damages:
        content = content[:at] + new + content[at + length :]

    check(content, "AAPL.csv", style)


cell = st.one_of(
    st.sampled_from(["A", "2024-03-08", "01/02/2024", "split", "dividend", "7:1", "1:0", "5%", "0", "-1", "1e308",
                     "nan", '"', "=1+1", "9999-12-31", "0001-01-01", "symbol_change", "delisted", "cancelled", ""]),
    st.text(max_size=8),
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.lists(cell, max_size=8), max_size=6), st.sampled_from(",;\t|"))
def test_any_cells_below_a_header_give_rows_or_a_refusal(rows: list[list[str]], delimiter: str) -> None:
    header = ["symbol", "date", "kind", "ratio", "amount", "new_symbol", "status", "note"]
    text = "\n".join(delimiter.join(line) for line in [header, *rows])

    check(text.encode("utf-8", "surrogatepass"), "x.csv", "auto")
