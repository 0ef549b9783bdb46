import pytest

from marketdata_pipelines.orchestration.assets.progress import Progress, duration


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_tells_share_rate_blocked_and_time_left() -> None:
    clock = Clock()
    progress = Progress("demo by day", 200, clock)

    clock.now += 2.0
    line = progress.step("2024-05-01", blocked=True)

    assert line == "demo by day: 1 of 200 partitions (0 %), 0.5 a second, 1 blocked, at 2024-05-01, about 7 min left"


def test_is_silent_within_two_seconds_and_five_per_cent() -> None:
    clock = Clock()
    progress = Progress("demo by day", 200, clock)

    told = [progress.step(str(number), blocked=False) is not None for number in range(1, 21)]

    assert told == [False] * 9 + [True] + [False] * 9 + [True]


def test_the_last_partition_is_always_told() -> None:
    clock = Clock()
    progress = Progress("demo by day", 2, clock)

    progress.step("2024-05-01", blocked=False)
    clock.now += 0.5
    line = progress.step("2024-05-02", blocked=False)

    assert line == ("demo by day: 2 of 2 partitions (100 %), 4.0 a second, none blocked, at 2024-05-02, took 0.5 s")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (42.3, "42 s"), (400.0, "7 min"), (11_100.0, "3 h 5 min")]
)
def test_durations_read_like_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
