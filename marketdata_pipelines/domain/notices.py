"""What people are told: happenings (a run failed, data is late) and the notices they are grouped into.

Words only: how a notice travels is in `notify`, what has been told already in `stores.outbox`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_LISTED = 10
_REASON_CHARACTERS = 600


class NoticeKind(StrEnum):
    FAILURE = "failure"
    RECOVERY = "recovery"
    LATE = "late"
    FRESH = "fresh"
    REFUSED = "refused"
    TEST = "test"


GOOD_NEWS = (NoticeKind.RECOVERY, NoticeKind.FRESH, NoticeKind.TEST)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing to tell, once: `id` is the same whenever it is found again.

    `subject` is the job, table or file, `where` its partitions; `text` says what happened, `advice` what to do.
    `at_us` in UTC.
    """

    id: str
    kind: NoticeKind
    feed: str
    subject: str
    text: str
    at_us: int
    where: str = ""
    advice: str = ""
    link: str = ""

    @property
    def group(self) -> str:
        """Happenings of one group share a notice."""
        return f"{self.feed} {self.kind}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: a title, plain lines and a link, the same on every channel."""

    id: str
    kind: NoticeKind
    feed: str
    title: str
    lines: tuple[str, ...]
    at_us: int
    link: str = ""

    @property
    def is_good(self) -> bool:
        return self.kind in GOOD_NEWS

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        return "\n".join([self.title, "", *self.lines, *([self.link] if self.link else [])])


def compose(happenings: Sequence[Happening]) -> Notice:
    """One notice for happenings of one group, in the order given; the first one leads.

    Errors: ValueError for none.
    """
    if not happenings:
        raise ValueError("a notice needs at least one happening")
    first = happenings[0]
    lines = [_line(each) for each in happenings[:_LISTED]]
    if len(happenings) > _LISTED:
        lines.append(f"… and {len(happenings) - _LISTED} more")
    advice = list(dict.fromkeys(each.advice for each in happenings if each.advice))
    lines += advice[:3]
    link = next((each.link for each in happenings if each.link), "")
    return Notice(first.id, first.kind, first.feed, _title(happenings), tuple(lines), first.at_us, link)


def _title(happenings: Sequence[Happening]) -> str:
    first, count = happenings[0], len(happenings)
    single, many = _TITLES[first.kind]
    if count == 1:
        return single.format(feed=first.feed, subject=first.subject)
    return many.format(feed=first.feed or "marketdata", count=count)


def _line(happening: Happening) -> str:
    head = f"{happening.subject} {happening.where}".strip()
    text = " ".join(happening.text.split())
    if len(text) > _REASON_CHARACTERS:
        text = f"{text[: _REASON_CHARACTERS - 1]}…"
    return f"{head}: {text}" if text else head


_TITLES = {
    NoticeKind.FAILURE: ("{subject} failed", "{feed}: {count} runs failed"),
    NoticeKind.RECOVERY: ("{subject} works again", "{feed}: {count} jobs work again"),
    NoticeKind.LATE: ("{feed}: {subject} is late", "{feed}: {count} tables are late"),
    NoticeKind.FRESH: ("{feed}: {subject} is fresh again", "{feed}: {count} tables are fresh again"),
    NoticeKind.REFUSED: ("{feed}: {subject} was not taken in", "{feed}: {count} files were not taken in"),
    NoticeKind.TEST: ("marketdata: this is a test", "marketdata: {count} tests"),
}
