"""The header Retry-After: seconds, or an HTTP date."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.sessions import to_us

_NUMBER = re.compile(r"^[0-9]{1,9}$")
# Before this a zone's offset leaves what Python's dates can hold.
_YEAR_ONE = datetime(1, 1, 3, tzinfo=UTC)


def retry_after_seconds(value: str | None, now_us: int) -> float | None:
    """How long to wait, from now; None where the header is missing or says nothing that can be read."""
    text = (value or "").strip()
    if _NUMBER.match(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(to_us(aware.astimezone(UTC)) - now_us, 0) / SECOND_US if aware > _YEAR_ONE else None
