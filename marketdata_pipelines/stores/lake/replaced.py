"""Using files of the index that may be replaced between looking them up and reading them."""

from collections.abc import Callable
from typing import TypeVar

from marketdata_pipelines.errors import PartitionMissing

_ATTEMPTS = 20
F = TypeVar("F")
T = TypeVar("T")


def while_replaced(found: F, look_again: Callable[[], F], use: Callable[[F], T]) -> T:
    """Use what was found in the index; again where a file of it is gone that was replaced since it was looked at.

    Errors: PartitionMissing when the same is found twice and its files are not there.
    """
    for _ in range(_ATTEMPTS):
        try:
            return use(found)
        except PartitionMissing:
            before, found = found, look_again()
            if found == before:
                # Perhaps it was replaced and put back; once more, and if its files are missing still they are lost.
                return use(found)
    return use(found)
