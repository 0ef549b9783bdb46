"""DuckDB over lake files: relations by exact path, each file's decimals cast to double by itself.

Files whose float columns are encoded alike are read as one; files of different scales never meet before the cast.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import duckdb

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
    branches = [
        f"select *{_casts(signature)}{constants} from read_parquet([{paths}])"
        for signature, paths in _by_signature(root, stored)
    ]
    return "\nunion all by name\n".join(branches)


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


def _by_signature(root: Path, stored: Iterable[Stored]) -> list[tuple[str, str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for item in stored:
        groups[item.signature].append(_literal(str(root / item.path)))
    return [(signature, ", ".join(paths)) for signature, paths in sorted(groups.items())]


def _casts(signature: str) -> str:
    scaled = [part.split(":")[0] for part in signature.split(",") if part and not part.endswith(":double")]
    if not scaled:
        return ""
    return " replace (" + ", ".join(f"{_name(name)}::double as {_name(name)}" for name in scaled) + ")"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
