"""The simulated exchange over HTTP."""

from typing import Any

import httpx
import pytest

from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines_tests.sources.exchange.exchanges import Served, exchange_up

ASKED = {"symbols": "A", "interval": "1m", "start": "2024-07-01T13:30:00Z", "end": "2024-07-01T13:35:00Z"}


def ask(served: Served, **changes: str) -> httpx.Response:
    return httpx.get(f"{served.url}/v1/bars", params={**ASKED, **changes}, timeout=20)


def test_bars_come_in_pages_with_a_cursor() -> None:
    with exchange_up() as served:
        first = ask(served, limit="3").json()
        second = ask(served, limit="3", cursor=first["next_cursor"]).json()

    assert [bar["ts"][11:] for bar in first["bars"]] == ["13:30:00Z", "13:31:00Z", "13:32:00Z"]
    assert [bar["ts"][11:] for bar in second["bars"]] == ["13:33:00Z", "13:34:00Z"]
    assert second["next_cursor"] is None
    assert set(first["bars"][0]) == {
        "symbol", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbols": "A,NOPE"}, "unknown symbol NOPE"),
        ({"symbols": ""}, "symbols is missing"),
        ({"interval": "7x"}, "no interval"),
        ({"interval": "1w"}, "interval 1w is not served"),
        ({"start": "noon"}, "'noon' is no time"),
        ({"limit": "0"}, "limit is a number from 1 to 50000"),
        ({"cursor": "x"}, "the cursor is none of ours"),
    ],
)
def test_a_wrong_question_is_answered_400(changes: dict[str, str], told: str) -> None:
    with exchange_up() as served:
        answer = ask(served, **changes)

    assert answer.status_code == 400
    assert told in answer.json()["error"]


def test_calls_beyond_the_limit_are_429_and_counted() -> None:
    with exchange_up(calls=2, per_seconds=60.0) as served:
        codes = [ask(served).status_code for _ in range(3)]
        late = ask(served)
        stats: dict[str, Any] = httpx.get(f"{served.url}/v1/stats").json()

    assert codes == [200, 200, 429]
    assert 0 < int(late.headers["retry-after"]) <= 60
    assert (stats["calls"], stats["throttled"], stats["largest_window"]) == (4, 2, 4)


def test_a_key_is_asked_for_where_there_is_one() -> None:
    with exchange_up(key="k") as served:
        without = httpx.get(f"{served.url}/v1/symbols")
        with_key = httpx.get(f"{served.url}/v1/symbols", headers={"Authorization": "Bearer k"})

    assert (without.status_code, with_key.json()) == (401, {"symbols": ["A", "B"]})


def test_faults_are_what_they_are_called() -> None:
    kinds = (
        ExchangeFault.THROTTLE, ExchangeFault.THROTTLE, ExchangeFault.ERROR, ExchangeFault.TRUNCATED,
        ExchangeFault.RESET, ExchangeFault.TIMEOUT,
    )  # fmt: skip
    with exchange_up(faults=FaultPlan(schedule=kinds), now="2024-07-01 12:00:00") as served:
        number, date, error, truncated = (ask(served) for _ in range(4))
        with pytest.raises(httpx.RemoteProtocolError):
            ask(served)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{served.url}/v1/bars", params=ASKED, timeout=0.3)
        stats = served.exchange.stats()

    assert (number.status_code, number.headers["retry-after"]) == (429, "1")
    assert (date.status_code, date.headers["retry-after"]) == (429, "Mon, 01 Jul 2024 12:00:01 GMT")
    assert error.status_code == 500
    with pytest.raises(ValueError):
        truncated.json()
    assert stats["faults"] == {"throttle": 2, "error": 1, "truncated": 1, "reset": 1, "timeout": 1}


def test_faults_in_rows_repeat_overlap_and_add_the_candle_of_this_moment() -> None:
    schedule = (ExchangeFault.DUPLICATE, ExchangeFault.OVERLAP, ExchangeFault.UNFINISHED)
    with exchange_up(faults=FaultPlan(schedule=schedule), now="2024-07-01 13:36:30") as served:
        repeated = ask(served, limit="3").json()
        overlapping = ask(served, limit="3", cursor=repeated["next_cursor"]).json()
        unfinished = ask(served).json()
        asked_for = ask(served, unfinished="true").json()

    def minutes(page: dict[str, Any]) -> str:
        return " ".join(bar["ts"][14:16] for bar in page["bars"])

    assert minutes(repeated) == "30 31 32 30 31 32"
    assert minutes(overlapping) == "30 31 32 33 34"
    assert minutes(unfinished) == minutes(asked_for) == "30 31 32 33 34 36"
