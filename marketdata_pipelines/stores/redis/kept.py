"""Connections kept between reads: what the client's pool does around a command takes longer than a small read itself.

For reads only: they may be asked a second time where a connection broke while nobody used it.
"""

import os
from typing import Any

import redis


class KeptConnections:
    """Connections of one client's pool, each used by one caller at a time; safe across threads and after a fork.

    As many are kept as were ever needed at once. Closing the client ends them; asked again they connect anew.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._pool: Any = client.connection_pool
        self._free: list[Any] = []
        self._process = os.getpid()

    def read(self, *command: str) -> Any:
        """The server's answer to a command that changes nothing; values are bytes.

        Errors: the client's own. Silence is not tried again, a connection that broke is, once.
        """
        connection = self._taken()
        try:
            try:
                return _asked(connection, command)
            except redis.ConnectionError:
                connection.disconnect()
                return _asked(connection, command)
        except BaseException:
            # What was asked may still be answered: the next caller must not read it.
            connection.disconnect()
            raise
        finally:
            self._free.append(connection)

    def _taken(self) -> Any:
        if os.getpid() != self._process:
            # The parent goes on using these.
            self._free, self._process = [], os.getpid()
        try:
            connection = self._free.pop()
        except IndexError:
            return self._pool.get_connection()
        # After a failover, one to a server that is no longer the master.
        if not self._pool.owns_connection(connection):
            connection.disconnect()
        return connection


def _asked(connection: Any, command: tuple[str, ...]) -> Any:
    # The connection's own way to begin anew would not ask a Sentinel for the master.
    if not connection.is_connected:
        connection.connect()
    connection.send_command(*command)
    return connection.read_response(disconnect_on_error=True)
