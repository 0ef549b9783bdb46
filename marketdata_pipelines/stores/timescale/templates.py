"""SQL of the store read from its files, with identifiers composed by the driver; no statement is built from text."""

from functools import cache
from importlib.resources import files
from typing import LiteralString

from psycopg import sql


def statement(engine: str, name: str, **parts: sql.Composable) -> sql.Composed:
    """The text of stores/sql/<engine>/<name>.sql with `{part}` replaced; `%(value)s` stay to be bound."""
    return sql.SQL(_text(engine, name)).format(**parts)


@cache
def _text(engine: str, name: str) -> LiteralString:
    text = files("marketdata_pipelines.stores.sql").joinpath(engine, f"{name}.sql").read_text("utf-8")
    return text
