"""Which pass of a repeated hour a row is in."""

import numpy as np

from marketdata_pipelines.sources.files.repeated import RepeatedRows, resolve_repeated

HOUR = 3600


def resolve(
    minutes: list[int], symbols: list[str] | None = None, *, hours: bool = False
) -> tuple[list[int], list[bool]]:
    base = 1_383_454_800
    wall = np.array([base + 60 * minute for minute in minutes])
    rows = RepeatedRows(symbols or ["SPY"] * len(minutes), wall, wall + 4 * HOUR, wall + 5 * HOUR)
    values, certain = resolve_repeated(rows, 1, equal_restarts=hours)
    return ((values - wall) // HOUR).tolist(), certain.tolist()


def test_times_that_fall_back_once_are_two_passes() -> None:
    assert resolve([0, 30, 59, 0, 30]) == ([4, 4, 4, 5, 5], [True] * 5)


def test_one_pass_alone_is_not_decided() -> None:
    assert resolve([0, 30, 59])[1] == [False] * 3


def test_times_that_fall_back_twice_are_not_decided() -> None:
    assert resolve([0, 30, 0, 30, 0])[1] == [False] * 5


def test_each_symbol_is_decided_by_itself() -> None:
    assert resolve([0, 0, 30, 30, 0], ["A", "B", "A", "B", "A"])[1] == [True, False, True, False, True]


def test_a_minute_that_comes_twice_is_a_duplicate_not_a_second_pass() -> None:
    assert resolve([0, 0, 30])[1] == [False] * 3


def test_an_hourly_bar_that_comes_twice_is_the_second_pass() -> None:
    assert resolve([0, 0], hours=True) == ([4, 5], [True, True])
