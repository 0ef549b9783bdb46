"""DuckDB over lake files: relations by exact path, each file's decimals cast to double by itself.

DuckDB takes the type of a column from all files it is given. A file without rows, whose floats are doubles, goes
with every list: so each file's decimals become doubles at their own scale, whatever the scales of the others, and
whether or not a file was replaced since it was indexed.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.stores.lake.catalog import Stored


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory connection whose clock is UTC."""
    connection = duckdb.connect(":memory:")
    connection.execute("set TimeZone = 'UTC'")
    return connection


def relation_sql(root: Path, stored: Sequence[Stored], extra: dict[str, str] | None = None) -> str:
    """A SELECT over stored files of one table, all columns, floats as double; `extra` adds constant text columns.

    Errors: ValueError for no files at all.
    """
    if not stored:
        raise ValueError("a relation needs at least one file")
    constants = "".join(f", {_literal(value)} as {_name(name)}" for name, value in (extra or {}).items())
    paths = ", ".join(_literal(str(path)) for path in (*_paths(root, stored), *_doubles(stored)))
    return f"select *{constants} from read_parquet([{paths}], union_by_name = true)"


def query_text(name: str) -> str:
    """The text of stores/sql/duckdb/<name>.sql."""
    return files("marketdata_pipelines.stores.sql").joinpath("duckdb", f"{name}.sql").read_text("utf-8")


def create_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    root: Path,
    stored: Sequence[Stored],
    extra: dict[str, str] | None = None,
) -> None:
    """Create a view of stored files."""
    connection.execute(f"create or replace view {_name(name)} as {relation_sql(root, stored, extra)}")


def _paths(root: Path, stored: Sequence[Stored]) -> list[Path]:
    return [root / item.path for item in stored]


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
