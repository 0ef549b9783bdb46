"""Which code derived a table: recorded in the ledger and in every manifest."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


@lru_cache(maxsize=1)
def code_version() -> str:
    """The installed package's version."""
    try:
        return version("marketdata-pipelines")
    except PackageNotFoundError:
        return "unknown"
