"""Data Docs of a feed: one site a month, offline, safe under processes that record and build at the same time.

    <quality>/docs/<feed>/index.html                                    the months
    <quality>/docs/<feed>/<month>/index.html                            the month's validations
    <quality>/docs/<feed>/<month>/<table>/<partition>/<at>-<id>.html    one validation
    <quality>/docs/<feed>/<month>/suites/<table>.html                   what is asked of a table
    <quality>/docs/<feed>/<month>/.results/…                            the recorded results (see `docs_results`)

A result is one file, put into its place whole; who builds holds the feed's lock, and renders what has no page yet.
What a page looks like is `docs_pages`'.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.quality.gx.docs_pages import DocsPages
from marketdata_pipelines.quality.gx.docs_results import (
    Recorded,
    drop_results,
    read_entries,
    read_result,
    write_entries,
    write_result,
    write_whole,
)
from marketdata_pipelines.quality.suites.records import SuiteOutcome

_LOCK_SECONDS = 120
# Earlier validations of the same partition and table that stay on their pages, the newest included.
KEPT = 3


class DocsSite:
    """The Data Docs of one feed below the folder of its home's quality pages."""

    def __init__(self, folder: Path, feed: str, *, kept: int = KEPT) -> None:
        self._feed, self._kept = feed, kept
        self.root = folder / "docs" / feed
        self._pages: DocsPages | None = None

    def record(
        self, month: str, partition: str, outcome: SuiteOutcome, at_us: int, *, grade: str | None = None
    ) -> None:
        """Keep a validation for the month's site; `at_us` UTC microseconds, `grade` the partition's, A to F.

        Any number of processes may record at once. It is on the pages after the next `build`.

        Errors: OSError when the folder cannot be written.
        """
        write_result(self.root / month, partition, outcome, at_us, grade)

    def build(self, month: str) -> Path:
        """Bring a month's site and the feed's list of months up to date; returns the month's first page.

        Errors: StoreError when another process holds the site for two minutes.
        """
        site = self.root / month
        site.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / ".lock", timeout=_LOCK_SECONDS):
                return self._build(site, month)
        except Timeout as error:
            raise StoreError(
                f"the Data Docs of {self._feed} have been locked for {_LOCK_SECONDS} s ({self.root / '.lock'}); "
                "end the process that holds them"
            ) from error

    def _build(self, site: Path, month: str) -> Path:
        entries = self._pruned(site, read_entries(site))
        newest: dict[str, Recorded] = {}
        for entry in sorted(entries, key=lambda each: each.order):
            page = site / entry.page
            if not page.is_file():
                write_whole(page, self._rendered().validation(month, entry, read_result(site, entry)))
            newest[entry.table] = entry
        suites = [(table, self._suite(site, month, newest[table])) for table in sorted(newest)]
        write_entries(site, entries)
        index = write_whole(site / "index.html", self._rendered().month(month, entries, suites))
        months = {each.parent.name: read_entries(each.parent) for each in self.root.glob("*/index.html")}
        write_whole(self.root / "index.html", self._rendered().months(months))
        return index

    def _pruned(self, site: Path, entries: Iterable[Recorded]) -> list[Recorded]:
        """The newest results of each partition and table; the others, and their pages, are removed."""
        by_place: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
        for entry in entries:
            by_place[entry.table, entry.partition].append(entry)
        kept = []
        for found in by_place.values():
            ordered = sorted(found, key=lambda each: each.order, reverse=True)
            kept += ordered[: self._kept]
            drop_results(site, ordered[self._kept :])
        return kept

    def _suite(self, site: Path, month: str, entry: Recorded) -> str:
        """The page of what is asked of a table, as its newest validation had it."""
        page = f"suites/{entry.table}.html"
        mark = site / f"suites/.{entry.table}"
        if not (site / page).is_file() or not mark.is_file() or mark.read_text("utf-8") != entry.suite_digest:
            write_whole(site / page, self._rendered().suite(month, entry, read_result(site, entry)))
            write_whole(mark, entry.suite_digest)
        return page

    def _rendered(self) -> DocsPages:
        if self._pages is None:
            self._pages = DocsPages(self._feed)
        return self._pages
