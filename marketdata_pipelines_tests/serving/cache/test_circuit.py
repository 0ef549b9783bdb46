"""When the second tier is asked: not while it is silent, and again once it answers."""

import logging
import threading

import pytest

from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.serving.cache.circuit import Circuit
from marketdata_pipelines_tests.waiting import wait_until

SILENT = StoreUnavailable("no answer")


class Server:
    """Answers probes once `answers` is set."""

    def __init__(self) -> None:
        self.answers, self.probed, self.recoveries = threading.Event(), threading.Event(), 0

    def probe(self) -> None:
        self.probed.set()
        if not self.answers.is_set():
            raise SILENT

    def recovered(self) -> None:
        self.recoveries += 1

    def circuit(self) -> Circuit:
        return Circuit("Redis", self.probe, self.recovered, seconds_between_probes=0.001)


def test_the_first_failure_opens_it_and_an_answered_probe_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    circuit = server.circuit()

    with caplog.at_level(logging.INFO):
        opened = [circuit.open(SILENT, 0), circuit.open(SILENT, 0)]
        assert server.probed.wait(30)
        during = circuit.is_closed
        server.answers.set()
        assert circuit.wait_until_closed(30)
        wait_until(lambda: len(caplog.records) == 2, "word of both changes", 30)

    assert (opened, during, server.recoveries) == ([True, False], False, 1)
    assert [record.message for record in caplog.records] == [
        "Redis does not answer; going on without it until it does (no answer)",
        "Redis answers again",
    ]
    circuit.close()


def test_who_asked_before_an_outage_that_is_over_does_not_open_it_again() -> None:
    server = Server()
    server.answers.set()
    circuit = server.circuit()
    circuit.open(SILENT, 0)
    assert circuit.wait_until_closed(30)

    late = circuit.open(SILENT, 0)

    assert (late, circuit.is_closed) == (False, True)
    circuit.close()


def test_closed_for_good_it_probes_no_more() -> None:
    server = Server()
    circuit = server.circuit()
    circuit.open(SILENT, 0)
    assert server.probed.wait(30)

    circuit.close()
    server.answers.set()

    assert circuit.is_closed is False
    assert circuit.open(SILENT, 1) is False
