"""Logging set up once by the composition roots; modules only ask for their logger."""

import logging


def configure_logging(level: str) -> None:
    """Send this package's log to standard error at `level`; other libraries stay at WARNING."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("marketdata_pipelines").setLevel(level.upper())
