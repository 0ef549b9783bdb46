"""DuckDB over lake files: relations by exact path, each file's decimals cast to double by itself.

DuckDB takes the type of a column from all files it is given. A file without rows, whose floats are doubles, goes
with every list: so each file's decimals become doubles at their own scale, whatever the scales of the others, and
whether or not a file was replaced since it was indexed. Deltas are merged as they are read: files in which the same
symbols no longer count are read together, without these.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL, LiveFile
from marketdata_pipelines.stores.lake.stored import Stored
from marketdata_pipelines.stores.lake.symbol_rows import SYMBOL

T = TypeVar("T")
_NONE: frozenset[str] = frozenset()
_ATTEMPTS = 5


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory connection whose clock is UTC."""
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def relation_sql(
    root: Path,
    stored: Sequence[Stored],
    extra: dict[str, str] | None = None,
    *,
    symbols: Collection[str] | None = None,
) -> str:
    """A SELECT over stored partitions of one table, all columns, floats as double; `extra` adds constant text columns,
    `symbols` leaves out the rows of others. Rows come in no order.

    Errors: ValueError for no partitions at all.
    """
    if not stored:
        raise ValueError("a relation needs at least one file")
    constants = "".join(f", {_literal(value)} as {_name(name)}" for name, value in (extra or {}).items())
    doubles = _doubles(stored)
    selects = []
    for gone, names in _files(stored, symbols).items():
        paths = ", ".join(_literal(str(path)) for path in (*(root / name for name in names), *doubles))
        where = _condition(gone, symbols)
        selects.append(f"select *{constants} from read_parquet([{paths}], union_by_name = true){where}")
    return "\nunion all by name\n".join(selects)


def asked_again(question: Callable[[], T]) -> T:
    """The answer to a question that looks into the index and lets DuckDB read files; asked again where a file is gone,
    which was replaced after the index was looked at.

    Errors: StoreError when it is gone for good; what the question raises.
    """
    for _ in range(_ATTEMPTS):
        try:
            return question()
        except duckdb.IOException as error:
            reason = error
    raise StoreError(f"a file of the lake cannot be read ({reason}); run: marketdata lake verify") from reason


def query_text(name: str) -> str:
    """The text of stores/sql/duckdb/<name>.sql."""
    return files("marketdata_pipelines.stores.sql").joinpath("duckdb", f"{name}.sql").read_text("utf-8")


def create_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    root: Path,
    stored: Sequence[Stored],
    extra: dict[str, str] | None = None,
    *,
    symbols: Collection[str] | None = None,
) -> None:
    """Create a view of stored partitions."""
    relation = relation_sql(root, stored, extra, symbols=symbols)
    connection.execute(f"create or replace view {_name(name)} as {relation}")


def _files(stored: Sequence[Stored], symbols: Collection[str] | None) -> dict[frozenset[str], list[str]]:
    """Paths by the symbols that do not count in them; without files that cannot have rows of `symbols`."""
    wanted = None if symbols is None else frozenset(symbols)
    found: dict[frozenset[str], list[str]] = {}
    for item in stored:
        for file in item.files if item.deltas else (LiveFile(item.path, _NONE, None),):
            if wanted is None or file.may_hold(wanted):
                # Of symbols that are not asked for it does not matter whether they count.
                gone = file.gone if wanted is None else file.gone & wanted
                found.setdefault(gone, []).append(file.path)
    return found or {_NONE: [stored[0].path]}


def _condition(gone: frozenset[str], symbols: Collection[str] | None) -> str:
    terms = []
    if symbols is not None:
        terms.append(_is_one_of(symbols))
    if gone:
        terms.append(f"not {_is_one_of(gone)}")
    return f" where {' and '.join(terms)}" if terms else ""


def _is_one_of(symbols: Collection[str]) -> str:
    """A condition that is never null: rows without a symbol are those of NO_SYMBOL."""
    listed = ", ".join(_literal(symbol) for symbol in sorted(symbols)) or "null"
    column = _name(SYMBOL)
    if NO_SYMBOL in symbols:
        return f"({column} is null or {column} in ({listed}))"
    return f"({column} is not null and {column} in ({listed}))"


def _doubles(stored: Sequence[Stored]) -> list[Path]:
    """The file that makes the float columns of these files doubles; none for tables without."""
    names = {part.split(":")[0] for item in stored for part in item.signature.split(",") if part}
    if not names:
        return []
    path = _doubles_folder() / f"{hashlib.sha256(repr(sorted(names)).encode()).hexdigest()[:16]}.parquet"
    if not path.exists():
        # Long-lived processes outlive the system's sweeping of temporary files.
        path.parent.mkdir(exist_ok=True)
        # Not `schema.empty_table()`, which imports pandas.
        empty = pa.Table.from_arrays([pa.nulls(0, pa.float64()) for _ in names], sorted(names))
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as unfinished:
            pq.write_table(empty, unfinished)
        Path(unfinished.name).replace(path)
    return [path]


@lru_cache(maxsize=1)
def _doubles_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="marketdata-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
