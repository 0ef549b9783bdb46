"""Answers as CSV and JSON."""

import csv
import io
import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.cli.records import csv_bytes, json_bytes

# Anything UTF-8 can hold; a lone surrogate is no text.
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=10)


def _csv(table: pa.Table) -> str:
    return b"".join(csv_bytes(table)).decode()


def _json(table: pa.Table) -> object:
    return json.loads(b"".join(json_bytes(table)))


def test_csv_has_a_header_and_empty_fields_for_null() -> None:
    table = pa.table({"symbol": ["SPY", None], "open": [1.5, None], "n": pa.array([3, None], pa.int64())})

    assert _csv(table) == "symbol,open,n\nSPY,1.5,3\n,,\n"


def test_csv_quotes_only_what_needs_it() -> None:
    table = pa.table({"original": ['a "b"', "c,d", "e\nf", "g\rh", "plain", "=1+1"], "n": [1, 2, 3, 4, 5, 6]})

    assert _csv(table) == 'original,n\n"a ""b""",1\n"c,d",2\n"e\nf",3\n"g\rh",4\nplain,5\n=1+1,6\n'


@given(TEXTS)
def test_any_text_survives_csv(texts: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(_csv(pa.table({"n": ["x"] * len(texts), "text": texts})), newline="")))

    assert [row[1] for row in rows[1:]] == texts


@given(TEXTS)
def test_any_text_survives_json(texts: list[str]) -> None:
    assert _json(pa.table({"text": texts})) == [{"text": text} for text in texts]


def test_json_has_numbers_booleans_nulls_and_texts() -> None:
    ts = pa.array([0, None]).cast(pa.timestamp("us", tz="UTC"))
    table = pa.table({"ts": ts, "open": [1.5, float("inf")], "n": [1, None], "final": [True, None]})

    assert _json(table) == [
        {"ts": "1970-01-01T00:00:00Z", "open": 1.5, "n": 1, "final": True},
        {"ts": None, "open": None, "n": None, "final": None},
    ]


def test_no_rows_are_a_header_and_an_empty_list() -> None:
    table = pa.table({"a": pa.array([], pa.string())})

    assert _csv(table) == "a\n"
    assert _json(table) == []


def test_pieces_join_where_the_table_is_in_chunks() -> None:
    table = pa.concat_tables([pa.table({"a": [1, 2]}), pa.table({"a": [3]})])

    assert _csv(table) == "a\n1\n2\n3\n"
    assert _json(table) == [{"a": 1}, {"a": 2}, {"a": 3}]
