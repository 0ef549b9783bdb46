"""A call that is over in time, whatever the other side does: a server that drips outlives socket timeouts."""

import threading
from collections.abc import Callable

from marketdata_pipelines.errors import DeliveryFailed


def within(seconds: float, what: str, call: Callable[[], None]) -> None:
    """Run `call` in a thread of its own and wait at most `seconds`; what it raises is raised here.

    Errors: DeliveryFailed when it is not over by then. The thread is left to end by itself and keeps no process alive.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # handed to the caller, who waits for it
            raised.append(error)

    thread = threading.Thread(target=run, name=f"deliver to {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise DeliveryFailed(f"{what} did not finish within {seconds:g} s")
    if raised:
        raise raised[0]
