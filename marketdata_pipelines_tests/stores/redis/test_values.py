"""A value gives back the table that was put, or nothing."""

import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.errors import BarsNotSorted, SchemaMismatch
from marketdata_pipelines.stores.redis.values import decode, encode, split_by_symbol, symbol_runs
from marketdata_pipelines_tests.stores.redis.bars import KEPT_SCHEMA, minute_bars, of_symbol

FLOATS = st.none() | st.floats(width=64)
ROWS = st.lists(
    st.tuples(st.text(max_size=4), FLOATS, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.booleans()),
    max_size=20,
)


@settings(max_examples=100)
@given(ROWS, st.sampled_from([None, 0]), st.booleans())
def test_what_was_put_is_got_bit_for_bit(
    rows: list[tuple[object, ...]], zstd_bytes: int | None, has_dictionary: bool
) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    text = pa.dictionary(pa.int32(), pa.string()) if has_dictionary else pa.string()
    kinds = (text, pa.float64(), pa.int64(), pa.bool_())
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    table = pa.table(arrays, names=["symbol", "price", "count", "regular"])

    got = decode(encode(table, zstd_bytes=zstd_bytes))

    assert got is not None
    assert got.schema == table.schema
    assert got.drop_columns(["price"]).to_pylist() == table.drop_columns(["price"]).to_pylist()
    assert _bits(got) == _bits(table)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_a_value_of_somebody_else_is_absent(value: bytes) -> None:
    assert decode(value) is None


@settings(max_examples=150)
@given(st.data(), st.booleans())
def test_a_damaged_value_is_absent_or_whole(data: st.DataObject, has_dictionary: bool) -> None:
    bars = minute_bars(["AAPL"])
    put = bars if has_dictionary else bars.cast(KEPT_SCHEMA)
    value = encode(put)
    place = data.draw(st.integers(0, len(value) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    damaged = value[:place] + bytes([value[place] ^ bit]) + value[place + 1 :]

    got = decode(damaged)

    # One byte says which way is the quicker to read it, two mean nothing yet.
    assert got is None or (1 <= place <= 3 and got == put)


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 100, -1])
def test_a_cut_value_is_absent(cut: int) -> None:
    assert decode(encode(minute_bars(["AAPL"]))[:cut]) is None


def test_columns_within_columns_and_several_chunks_are_got_too() -> None:
    nested = pa.array([["a"], None], pa.list_(pa.dictionary(pa.int32(), pa.string())))
    other = pa.array([["b", "a"]], pa.list_(pa.dictionary(pa.int32(), pa.string())))
    chunked = pa.table({"names": pa.chunked_array([nested, other]), "number": pa.chunked_array([[1], [2, 3]])})
    plain = pa.concat_tables([minute_bars(["AAPL"]).cast(KEPT_SCHEMA), minute_bars(["MSFT"], 2).cast(KEPT_SCHEMA)])

    for table in (chunked, plain, plain.slice(2, 2), plain.slice(0, 0), plain.slice(0, 0).replace_schema_metadata()):
        got = decode(encode(table))
        assert got is not None
        assert got.to_pylist() == table.to_pylist()
        assert got.schema == table.schema


def test_a_whole_value_of_another_making_is_absent() -> None:
    for stream in (b"", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x08\0\0\0" + bytes(32), bytes(64)):
        for readable in (0, 1, 2):
            value = struct.pack("<BB2xIQ", 2, readable, zlib.crc32(stream), len(stream)) + stream
            assert decode(value) is None


def test_only_large_tables_are_compressed() -> None:
    small, large = minute_bars(["AAPL"], 3), minute_bars(["AAPL"], 5_000)

    assert encode(small, zstd_bytes=100_000) == encode(small)
    assert len(encode(large, zstd_bytes=100_000)) < len(encode(large)) / 3
    assert decode(encode(large, zstd_bytes=100_000)) == large


def test_each_symbol_gets_its_rows_and_no_other_name() -> None:
    bars = minute_bars(["AAPL", "MSFT", "BRK.B"], 4)

    parts = split_by_symbol(bars)

    assert list(parts) == ["AAPL", "MSFT", "BRK.B"]
    for symbol, part in parts.items():
        assert part.schema == KEPT_SCHEMA
        assert part.to_pylist() == of_symbol(bars, symbol)


def test_symbols_may_be_plain_text_and_in_several_chunks() -> None:
    halves = [minute_bars(["AAPL", "MSFT"], 2), minute_bars(["SPY"], 1)]
    bars = pa.concat_tables([half.set_column(0, "symbol", half.column("symbol").cast(pa.string())) for half in halves])
    mixed = pa.concat_tables(halves)

    assert {symbol: part.num_rows for symbol, part in split_by_symbol(bars).items()} == {"AAPL": 2, "MSFT": 2, "SPY": 1}
    assert split_by_symbol(bars)["SPY"].schema == bars.schema
    assert {symbol: part.num_rows for symbol, part in split_by_symbol(mixed).items()} == {
        "AAPL": 2,
        "MSFT": 2,
        "SPY": 1,
    }


def test_no_bars_have_no_symbols() -> None:
    symbols, starts = symbol_runs(BAR_SCHEMA.empty_table())

    assert symbols == []
    assert starts.tolist() == [0]
    assert split_by_symbol(BAR_SCHEMA.empty_table()) == {}


def test_bars_that_are_not_sorted_or_have_no_symbol_are_refused() -> None:
    bars = minute_bars(["AAPL", "MSFT"], 2)

    with pytest.raises(BarsNotSorted):
        split_by_symbol(bars.take([0, 2, 1]))
    with pytest.raises(SchemaMismatch):
        split_by_symbol(bars.drop_columns(["symbol"]))


def _bits(table: pa.Table) -> list[int | None]:
    column = table.column("price").combine_chunks()
    known = column.is_valid().to_pylist()
    bits = column.fill_null(0.0).to_numpy(zero_copy_only=False).view(np.int64).tolist()
    return [each if is_known else None for each, is_known in zip(bits, known, strict=True)]
