"""A clock that only sleeping moves, for tests of waiting; nothing here asserts."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class FakeClock:
    """Called it tells the time in UTC microseconds; `sleep` moves it."""

    now_us: int = 1_720_000_000_000_000
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> int:
        return self.now_us

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_us += max(round(seconds * 1_000_000), 1)

    def pass_by(self, seconds: float) -> None:
        """Let time go by that nobody slept."""
        self.now_us += round(seconds * 1_000_000)
