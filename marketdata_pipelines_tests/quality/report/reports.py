"""Records of quality reports for tests of how they are drawn; nothing here asserts."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

from marketdata_pipelines.quality.report.records import (
    Candle,
    FeedFacts,
    FindingChart,
    FindingRow,
    HeatMap,
    HeatRow,
    Origin,
    Rejections,
    ReportData,
    Score,
)
from marketdata_pipelines_tests.builders import us

DAY = date(2024, 1, 5)
MADE_US = us("2024-01-06 07:00")
NEVER_CLOSED = {"meta", "link", "input", "path", "rect", "br"}


def score(day: date = DAY, value: float | None = 97.46, grade: str = "A", **changes: Any) -> Score:
    """One session's score."""
    found = Score(
        day, day, 1, value, "Excellent", grade, (100.0, 98.0, 100.0, 95.0, 100.0, 100.0), 390, 390, 392, 2, 1, 0
    )
    return replace(found, **changes)


def finding(**changes: Any) -> FindingRow:
    """A spike of one bar of ALFA."""
    found = FindingRow(
        "price_spike", "accuracy", "warn", "ALFA", DAY, us("2024-01-05 14:35"), us("2024-01-05 14:35"), 1, 0.35, 0.05,
        "the close leaps 35 %", "us.csv", 4711, 4710, True,
    )  # fmt: skip
    return replace(found, **changes)


def candles(count: int = 11, **changes: Any) -> tuple[Candle, ...]:
    """Minutes from 14:30 whose prices rise and fall; `changes` are of the sixth."""
    found = []
    for at in range(count):
        price = 10.0 + at % 3 / 10
        each = Candle(
            us("2024-01-05 14:30") + at * 60_000_000, price, price + 0.2, price - 0.2, price + 0.1, 100.0 + at
        )
        found.append(replace(each, **changes) if at == 5 else each)
    return tuple(found)


def chart(found: FindingRow, **changes: Any) -> FindingChart:
    """The sixth candle marked."""
    drawn = candles()
    made = FindingChart(found, (), drawn, tuple(at == 5 for at in range(len(drawn))), ())
    return replace(made, **changes)


def heat(symbols: Iterable[str], days: int = 3) -> HeatMap:
    """The same scores for every symbol."""
    sessions = tuple(DAY - timedelta(days=days - 1 - at) for at in range(days))
    rows = tuple(HeatRow(symbol, (99.5,) * days, ("A",) * days) for symbol in symbols)
    return HeatMap(sessions, HeatRow("", (99.5,) * days, ("A",) * days), rows)


def report(**changes: Any) -> ReportData:
    """A good session with nothing to tell, and some fields changed."""
    data = ReportData(
        feed=FeedFacts("stocks_1m", "Minutes of stocks", "1m", "XNYS", "day", "standard", None),
        start=DAY,
        end=DAY,
        score=score(),
        change=None,
        symbols=1,
        trend=(score(),),
        heat=heat(["ALFA"]),
        blocking=0,
        warnings=0,
        replaced_findings=0,
        rules=(),
        findings=(),
        charts=(),
        histograms=(),
        gaps=(),
        rejections=Rejections(),
        withheld=(),
        origin=Origin(MADE_US, us("2024-01-05 22:00"), (("code", "1.0"),), (), None, None),
    )
    return replace(data, **changes)


class PageReader(HTMLParser):
    """Reads a page: its elements with their attributes, the text of each kind, and whether every one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in NEVER_CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag, f"</{tag}> while <{self.open[-1]}> is open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def having(self, tag: str, **wanted: str) -> Iterator[dict[str, str | None]]:
        """The attributes of the elements of a kind that have these."""
        for name, found in self.elements:
            if name == tag and all(
                found.get(key.rstrip("_").replace("_", "-")) == value for key, value in wanted.items()
            ):
                yield found

    @property
    def text(self) -> str:
        """All of its text but scripts and styles."""
        return "\n".join("".join(texts) for tag, texts in self.texts.items() if tag not in ("script", "style"))
