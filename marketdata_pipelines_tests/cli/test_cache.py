"""`marketdata cache` over a small lake and a real Redis."""

import json
from pathlib import Path

import pytest

from marketdata_pipelines_tests.cli.conftest import Run


@pytest.fixture
def configured(redis_url: str, redis_namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis in the settings."""
    monkeypatch.setenv("MARKETDATA_REDIS_URL", redis_url)
    monkeypatch.setenv("MARKETDATA_REDIS_NAMESPACE", redis_namespace)


@pytest.mark.usefixtures("configured")
def test_a_feed_is_warmed_told_of_and_cleared(loaded_home: Path, marketdata: Run) -> None:
    warmed = marketdata(loaded_home, "cache", "warm", "shares", "--json")
    marketdata(loaded_home, "latest", "shares")
    told = marketdata(loaded_home, "cache", "stats", "--json")
    shown = marketdata(loaded_home, "cache", "stats")
    cleared = marketdata(loaded_home, "cache", "clear", "--feed", "shares", "--json")
    after = marketdata(loaded_home, "cache", "stats", "--json")

    assert (warmed.code, told.code, shown.code, cleared.code) == (0, 0, 0, 0)
    assert json.loads(warmed.out)["symbols"] == 1
    record = json.loads(told.out)
    assert {table["table"] for table in record["kept"]["tables"]} >= {"validated_bars", "latest_bars"}
    assert [answer["kind"] for answer in record["answers"]] != []
    assert "processes in the last minute: 1; hits" in shown.out
    assert "shares validated_bars:" in shown.out
    assert json.loads(cleared.out)["removed"] > 0
    assert json.loads(after.out)["kept"]["tables"] == []


@pytest.mark.usefixtures("configured")
def test_words_for_people_name_the_feed(loaded_home: Path, marketdata: Run) -> None:
    warmed = marketdata(loaded_home, "cache", "warm", "shares")
    cleared = marketdata(loaded_home, "cache", "clear")

    assert warmed.out.startswith("shares: the last bars of 1 symbol and ")
    assert "removed from Redis" in cleared.out


@pytest.mark.parametrize("command", [["stats"], ["warm", "shares"], ["clear"]])
def test_without_redis_every_command_says_what_to_set(
    loaded_home: Path, marketdata: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARKETDATA_REDIS_URL", raising=False)

    answer = marketdata(loaded_home, "cache", *command)

    assert answer.code == 2
    assert "set MARKETDATA_REDIS_URL" in answer.err


def test_a_server_that_is_away_is_named_without_its_password(
    loaded_home: Path, marketdata: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_URL", "redis://user:hidden@127.0.0.1:1/0")

    answer = marketdata(loaded_home, "cache", "stats")

    assert answer.code == 1
    assert "redis://127.0.0.1:1/0 does not answer" in answer.err
    assert "hidden" not in answer.err


def test_the_last_bars_are_answered_while_redis_is_away(
    loaded_home: Path, marketdata: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_URL", "redis://user:hidden@127.0.0.1:1/0")

    answer = marketdata(loaded_home, "latest", "shares", "--json")

    assert answer.code == 0
    assert [row["symbol"] for row in json.loads(answer.out)] == ["SPY"]
    assert "hidden" not in answer.err
