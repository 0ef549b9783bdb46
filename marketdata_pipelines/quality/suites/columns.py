"""Between Arrow schemas and DuckDB's names of types, and what differs from a declared table."""

from collections.abc import Mapping

import pyarrow as pa

from marketdata_pipelines.quality.suites.records import TableSuite

_TYPES = (
    (pa.types.is_string, "VARCHAR"),
    (pa.types.is_large_string, "VARCHAR"),
    (pa.types.is_dictionary, "VARCHAR"),
    (pa.types.is_date32, "DATE"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_int32, "INTEGER"),
    (pa.types.is_boolean, "BOOLEAN"),
)


def duckdb_columns(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """(name, DuckDB type) of each column of an Arrow schema."""
    return tuple((field.name, duckdb_type(field.type)) for field in schema)


def duckdb_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type; the Arrow name where the project declares no such column."""
    if pa.types.is_timestamp(kind):
        zoned = "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
        return zoned if kind.unit == "us" else f"{zoned} ({kind.unit})"
    return next((name for holds, name in _TYPES if holds(kind)), str(kind).upper())


def schema_differences(suite: TableSuite, types: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a table's columns, by column, in words."""
    declared = dict(suite.columns)
    found = {
        name: f"{name} is missing" if name not in types else f"{name} is {types[name]}, not {kind}"
        for name, kind in declared.items()
        if types.get(name) != kind
    }
    if suite.exact:
        found |= {name: f"{name} is not declared" for name in types if name not in declared}
    return found


def unusable_columns(suite: TableSuite, types: Mapping[str, str]) -> set[str]:
    """The declared columns that are missing or of another type: what reads them cannot be evaluated."""
    return {name for name, kind in suite.columns if types.get(name) != kind}
