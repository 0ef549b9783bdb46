"""Pulling pages from the exchange over HTTP."""

from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import SettingsInvalid, SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.exchange.historical import open_source
from marketdata_pipelines.sources.pulled.protocol import Page, Throttled
from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines_tests.builders import column, us
from marketdata_pipelines_tests.sources.exchange.exchanges import exchange_up, pulled_feed

T = TypeVar("T")
START, END = us("2024-07-01 13:30"), us("2024-07-01 20:00")
NOW = us("2025-01-01 00:00")


def at_once(call: Callable[[], T], what: str) -> T:
    return call()


def pages(url: str, symbols: tuple[str, ...] = ("A", "B"), **source: Any) -> list[Page]:
    made = open_source(pulled_feed(url, symbols=symbols, **source), lambda: NOW)
    return list(made.historical(symbols, START, END, at_once))


def test_all_pages_together_are_the_window_each_bar_once() -> None:
    with exchange_up() as served:
        found = pages(served.url, page_rows=100)
        whole = pages(served.url, page_rows=10_000)

    assert len(found) == 8
    assert pa.concat_tables([page.bars for page in found]).equals(whole[0].bars)
    times = column(whole[0].bars, "ts")
    assert (times[0], times[-1]) == ("2024-07-01 13:30", "2024-07-01 19:59")


def test_a_payload_is_the_body_and_what_was_asked_and_when() -> None:
    with exchange_up(key="s3cret") as served, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXCHANGE_KEY", "s3cret")
        (page,) = pages(served.url, page_rows=10_000, key_env="EXCHANGE_KEY")

    assert page.payload.content.startswith(b'{"bars": [{"symbol": "A"')
    assert page.payload.request == (
        "GET /v1/bars?symbols=A%2CB&interval=1m&start=2024-07-01T13%3A30%3A00Z&end=2024-07-01T20%3A00%3A00Z&limit=10000"
    )
    assert page.payload.received_us == NOW


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ExchangeFault.THROTTLE, Throttled), (ExchangeFault.ERROR, SourceUnavailable),
        (ExchangeFault.TIMEOUT, SourceUnavailable), (ExchangeFault.TRUNCATED, SourceUnavailable),
        (ExchangeFault.RESET, SourceUnavailable),
    ],
)  # fmt: skip
def test_what_may_pass_is_unavailable(fault: ExchangeFault, error: type[Exception]) -> None:
    with exchange_up(faults=FaultPlan(schedule=(fault,))) as served, pytest.raises(error):
        pages(served.url, timeout_seconds=0.5 if fault is ExchangeFault.TIMEOUT else 60.0)


@pytest.mark.parametrize("call", [0, 1])
def test_retry_after_is_understood_in_both_forms(call: int) -> None:
    schedule = (None,) * call + (ExchangeFault.THROTTLE,)
    with exchange_up(faults=FaultPlan(schedule=schedule)) as served:
        source = open_source(pulled_feed(served.url), served.clock)
        for _ in range(call):
            next(iter(source.historical(("A",), START, END, at_once)))
        with pytest.raises(Throttled) as caught:
            next(iter(source.historical(("A",), START, END, at_once)))

    assert caught.value.retry_after_seconds is not None
    assert 0 < caught.value.retry_after_seconds <= 2


def test_nobody_there_is_unavailable_and_the_address_is_named() -> None:
    with pytest.raises(SourceUnavailable, match=r"http://127\.0\.0\.1:9 did not answer"):
        pages("http://127.0.0.1:9")


def test_an_unknown_symbol_is_rejected_with_the_exchanges_words() -> None:
    with exchange_up() as served, pytest.raises(SourceRejected, match="answers 400: unknown symbol NOPE"):
        pages(served.url, symbols=("A", "NOPE"))


def test_a_wrong_key_is_rejected_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_KEY", "wrong-s3cret")

    with exchange_up(key="s3cret") as served, pytest.raises(SourceRejected) as caught:
        pages(served.url, key_env="EXCHANGE_KEY")

    assert "401" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_key_that_is_not_set_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXCHANGE_KEY", raising=False)

    with pytest.raises(SettingsInvalid, match="the variable EXCHANGE_KEY is not set"):
        open_source(pulled_feed("http://127.0.0.1:9", key_env="EXCHANGE_KEY"), lambda: NOW)


@pytest.mark.parametrize(
    ("interval", "page_rows", "end"),
    [("1m", 100, "2024-07-01 20:00"), ("1m", 10_000, "2024-07-03 20:00"), ("1h", 10, "2024-07-05 20:00")],
)
def test_the_estimate_is_the_calls_that_are_made(interval: str, page_rows: int, end: str) -> None:
    with exchange_up() as served:
        source = open_source(pulled_feed(served.url, interval, page_rows=page_rows), lambda: NOW)

        estimated = source.calls(("A", "B"), START, us(end)).calls
        list(source.historical(("A", "B"), START, us(end), at_once))

        assert abs(estimated - served.calls()) <= 1


def test_a_window_is_about_a_page() -> None:
    def window(**source: Any) -> float:
        return open_source(pulled_feed("http://h", **source), lambda: NOW).window_us / 86_400_000_000

    assert window(page_rows=390 * 2 * 5) == 5
    assert window(page_rows=10) == 1
