"""Arrow tables of any make as the SQL store can hold them: which types become which, and what cannot be kept.

Values are never changed: a cast that would lose anything is refused.
"""

from collections.abc import Mapping

import pyarrow as pa

from marketdata_pipelines.errors import SchemaMismatch

# PostgreSQL's names of what each type is declared as.
DECLARED = {
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp without time zone",
    pa.timestamp("us", tz="UTC"): "timestamp with time zone",
    pa.string(): "text",
}
HELD = {name: kind for kind, name in DECLARED.items()}
_WIDENED = {
    pa.null(): pa.string(),
    pa.int8(): pa.int16(),
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
}


def held_table(table: pa.Table, what: str) -> pa.Table:
    """The table with every column of a type in `DECLARED`, values unchanged.

    Errors: SchemaMismatch naming the column whose type or value the store cannot hold; `what` is the asset.
    """
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SchemaMismatch(f"{what} has the column {twice[0]} twice; rename one of them")
    columns = [_held(table[field.name], field, what) for field in table.schema]
    return pa.Table.from_arrays(columns, names)


def _held(column: pa.ChunkedArray, field: pa.Field, what: str) -> pa.ChunkedArray:
    kind = held_type(field.type)
    if kind is None:
        known = ", ".join(map(str, DECLARED))
        raise SchemaMismatch(f"column {field.name} of {what} is {field.type}; cast it to one of {known}")
    if kind == field.type or (pa.types.is_dictionary(field.type) and field.type.value_type == kind == pa.string()):
        # COPY takes a dictionary of texts as it is, and quicker.
        return column
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise SchemaMismatch(
            f"column {field.name} of {what} is {field.type} with values that {kind} cannot hold: {error}; round or "
            "cast it first"
        ) from error


def fitted_table(table: pa.Table, given: pa.Schema, there: Mapping[str, str], what: str) -> pa.Table:
    """A held table as the columns that are `there` (types by name) take it; others stay as they are.

    Numbers become the table's where every value is kept: a frame has whole numbers as floats where one is missing.
    A column without any value (null in the `given` schema) becomes anything.

    Errors: SchemaMismatch naming the column that does not fit.
    """
    for at, field in enumerate(table.schema):
        wanted = HELD.get(there.get(field.name, ""))
        if wanted is None or declared(field.type) == DECLARED[wanted]:
            continue
        if pa.types.is_null(given.field(field.name).type):
            table = table.set_column(at, field.name, pa.nulls(table.num_rows, wanted))
            continue
        try:
            if not _is_number(field.type) or not _is_number(wanted) or wanted == pa.float32():
                raise pa.ArrowInvalid("only numbers are converted, and not to real")
            table = table.set_column(at, field.name, table[field.name].cast(wanted))
        except pa.ArrowInvalid as error:
            raise SchemaMismatch(
                f"column {field.name} of {what} is {declared(field.type)} in the new rows and {DECLARED[wanted]} in "
                f"the store ({error}); write what the table has, or drop the table"
            ) from error
    return table


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def declared(kind: pa.DataType) -> str:
    """What a column of a held table is declared as."""
    return DECLARED[kind.value_type if pa.types.is_dictionary(kind) else kind]


def held_type(kind: pa.DataType) -> pa.DataType | None:
    """The type a column is kept as; None where there is none."""
    if pa.types.is_dictionary(kind):
        return held_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=None if kind.tz is None else "UTC")
    found = _WIDENED.get(kind, kind)
    return found if found in DECLARED else None
