"""Notices in the process's own log: the channel that always works."""

import logging
from dataclasses import dataclass

from marketdata_pipelines.domain.notices import Notice
from marketdata_pipelines.notify.specs import LogSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogChannel:
    """The log: bad news as warnings, good news as information."""

    spec: LogSpec

    def send(self, notice: Notice) -> None:
        """Write a notice on one line."""
        level = logging.INFO if notice.is_good else logging.WARNING
        parts = (notice.title, *notice.lines, notice.link)
        logger.log(level, "%s", " | ".join(" ".join(part.split()) for part in parts if part))
