"""What receipts say of themselves."""

from datetime import UTC, datetime

import pytest

from marketdata_pipelines.pipeline.receipts.records import Difference, Verification, VersionProof, explain_command

AT = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
MIDNIGHT = datetime(2024, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("symbol", "ts", "timeframe", "command"),
    [
        ("SPY", AT, None, "marketdata explain us SPY 2024-03-08T14:30:00Z"),
        ("SPY", AT, "5m", "marketdata explain us SPY 2024-03-08T14:30:00Z --timeframe 5m"),
        ("SPY", MIDNIGHT, "1d", "marketdata explain us SPY 2024-03-08 --timeframe 1d"),
        ("SPY", MIDNIGHT, "1M", "marketdata explain us SPY 2024-03-08 --timeframe 1M"),
        ("BTC", MIDNIGHT, "1m", "marketdata explain us BTC 2024-03-08T00:00:00Z --timeframe 1m"),
        ("A B'C", AT, None, "marketdata explain us 'A B'\"'\"'C' 2024-03-08T14:30:00Z"),
    ],
)
def test_the_command_names_the_bar_so_that_a_shell_understands(
    symbol: str, ts: datetime, timeframe: str | None, command: str
) -> None:
    assert explain_command("us", symbol, ts, timeframe) == command


def test_a_version_differs_from_today_or_not() -> None:
    assert VersionProof("code_version", "1", "2").differs
    assert not VersionProof("code_version", "1", "1").differs


def test_any_difference_makes_a_verification_unequal() -> None:
    assert Verification((), ("bar",)).equal
    assert not Verification((Difference("bar", "open", 1.0, 2.0),), ("bar",)).equal
