import socket

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.services.server import check_port


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(SettingsInvalid, match=f"cannot listen on 127.0.0.1:{port} .*--port {port + 1}"):
            check_port("127.0.0.1", port)


def test_a_free_port_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    check_port("127.0.0.1", port)
