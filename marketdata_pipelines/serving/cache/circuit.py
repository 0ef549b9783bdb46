"""Whether the second tier is worth asking: nobody waits for a silent server, and a thread finds out when it is back."""

import logging
import threading
from collections.abc import Callable

from marketdata_pipelines.errors import StoreError

logger = logging.getLogger(__name__)


class Circuit:
    """Closed while the server answers; open from the first failure until a probe in the background succeeds.

    Each change of state is one line in the log, whoever noticed it and however many did.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], object],
        on_recovery: Callable[[], None],
        *,
        seconds_between_probes: float = 0.5,
    ) -> None:
        self._name, self._probe, self._on_recovery = name, probe, on_recovery
        self._pause = seconds_between_probes
        self._lock = threading.Lock()
        self._recovered = threading.Event()
        self._recovered.set()
        self._ended = threading.Event()
        self._prober: threading.Thread | None = None
        self.outages = 0

    @property
    def is_closed(self) -> bool:
        """Whether the server may be asked."""
        return self._recovered.is_set()

    def open(self, reason: StoreError, seen_outages: int) -> bool:
        """Note that it did not answer somebody who asked after so many outages; True for the first who says so.

        Who asked before an outage that is over by now tells nothing new.
        """
        with self._lock:
            if not self._recovered.is_set() or self._ended.is_set() or seen_outages != self.outages:
                return False
            self._recovered.clear()
            self.outages += 1
            self._prober = threading.Thread(target=self._probe_until_recovered, name="cache-probe", daemon=True)
        logger.warning("%s does not answer; going on without it until it does (%s)", self._name, reason)
        self._prober.start()
        return True

    def wait_until_closed(self, seconds: float) -> bool:
        """Whether it answers within that time."""
        return self._recovered.wait(seconds)

    def close(self) -> None:
        """Probe no more."""
        self._ended.set()
        if self._prober is not None and self._prober is not threading.current_thread():
            self._prober.join()

    def _probe_until_recovered(self) -> None:
        while not self._ended.wait(self._pause):
            try:
                self._probe()
            except StoreError:
                continue
            # Whatever was believed before the outage is forgotten before anybody asks again.
            self._on_recovery()
            self._recovered.set()
            logger.warning("%s answers again", self._name)
            return
