"""The names of the stores that can be asked. What each does is in `routing`."""

from contextlib import suppress
from enum import StrEnum

from marketdata_pipelines.errors import SettingsInvalid


class StoreChoice(StrEnum):
    """From where answers come."""

    LAKE = "lake"
    TIMESCALE = "timescale"
    AUTO = "auto"


def store_choice(name: str) -> StoreChoice:
    """The choice of that name. Errors: SettingsInvalid naming the choices."""
    with suppress(ValueError):
        return StoreChoice(name)
    raise SettingsInvalid(f"store is {name!r}; allowed: {', '.join(StoreChoice)}")
