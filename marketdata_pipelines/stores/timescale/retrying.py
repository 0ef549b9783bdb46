"""Trying whole transactions again after a server did not answer; what may be tried again is the caller's to know."""

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from marketdata_pipelines.errors import StoreUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 3


def retried(work: Callable[[], T], *, pause: Callable[[float], None] | None = None) -> T:
    """Do `work`, at most three times where the server does not answer, waiting about 0.5 s and then 1 s with jitter.

    `work` must be whole and idempotent: a transaction of its own that leaves the same when done twice, since the
    connection may have gone after the commit reached the server. Every other error comes through at once.

    Errors: the last StoreUnavailable.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=0.5, max=5.0) + wait_random(0.0, 0.5),
        before_sleep=_tell,
        reraise=True,
    )
    return (attempts.copy(sleep=pause) if pause else attempts)(work)


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("try %d of %d: %s", state.attempt_number, TRIES, error)
