"""Whether a process that left its number somewhere is still there."""

import os


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has that number, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
