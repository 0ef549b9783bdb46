"""Brings the reports of a feed up to date: suites over what was walked since, its Data Docs, our own pages.

What is done of a partition is noted at once, so a killed run goes on where it was, and nothing is done twice. How a
partition is validated is in `validating`, what is noted of it in `state`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, Level
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.errors import PartitionConflict
from marketdata_pipelines.pipeline.quality.expectations import expectation_checks, expectations_digest
from marketdata_pipelines.pipeline.quality.headlines import session_scores
from marketdata_pipelines.pipeline.quality.state import (
    Month,
    Validation,
    known_months,
    month_of,
    read_month,
    write_month,
)
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes
from marketdata_pipelines.pipeline.quality.validating import PartitionValidator, Validated, quality_inputs
from marketdata_pipelines.pipeline.quality.validation_groups import validation_groups
from marketdata_pipelines.pipeline.reports.data import collect_report
from marketdata_pipelines.pipeline.reports.files import write_index, write_report
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, digest

Say = Callable[[str], None]
# Of long histories only the newest partitions get a page by themselves; any range has one when it is asked for.
REPORTS = 30
SECONDS_TO_WAIT = 600.0
_SECONDS_BETWEEN_LINES = 5.0
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Behind:
    """What is not up to date: partitions with what they are made of now, and months whose site is behind."""

    partitions: Mapping[str, str]
    months: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.partitions or self.months)


@dataclass(frozen=True, slots=True)
class Reported:
    """What was brought up to date. `reports` are the pages written, `left` partitions wait for the next time."""

    feed: str
    validated: tuple[Validation, ...]
    months: tuple[str, ...]
    reports: tuple[Path, ...]
    left: int
    seconds: float


def quality_folder(settings: Settings) -> Path:
    """Where reports, Data Docs and what is noted of them lie."""
    return settings.folder / "quality"


def reports_behind(lake: Lake, feed: Feed, settings: Settings) -> Behind:
    """What `bring_up_to_date` would do; fast, and without Great Expectations."""
    if feed.quality.level is Level.NONE:
        return Behind({}, ())
    now = quality_inputs(lake, feed, expectations_digest(settings.folder, feed.name))
    by_month = _by_month(now)
    partitions: dict[str, str] = {}
    months = []
    folder = quality_folder(settings)
    for name in sorted({*by_month, *known_months(folder, feed.name)}):
        month = _known(folder, feed, name, by_month.get(name, {}))
        found = {key: inputs for key, inputs in by_month.get(name, {}).items() if _is_behind(month, key, inputs)}
        partitions |= found
        if found or month.site != site_version(month):
            months.append(name)
    return Behind(partitions, tuple(months))


def disagreements(feed: Feed, settings: Settings) -> list[Validation]:
    """The validated partitions of which the suites say something else than the walk, in order."""
    folder = quality_folder(settings)
    found = [
        each
        for name in known_months(folder, feed.name)
        for each in read_month(folder, feed.name, name).validations.values()
        if not each.agrees
    ]
    return sorted(found, key=lambda each: each.partition)


def bring_up_to_date(
    lake: Lake,
    feed: Feed,
    settings: Settings,
    *,
    now_us: int,
    run_url: str | None = None,
    progress: Say = lambda _line: None,
    budget_seconds: float | None = None,
    seconds_to_wait: float = SECONDS_TO_WAIT,
    clock: Callable[[], float] = time.monotonic,
) -> Reported:
    """Validate what was walked since the last time, newest month first, and make the pages that tell of it.

    One at a time does this for a feed; another waits `seconds_to_wait`. After `budget_seconds` the rest is left.

    Units:  `now_us` UTC microseconds, `clock` seconds.
    Errors: PartitionConflict when another process is at it for longer; StoreError when the folder cannot be written;
            SettingsInvalid for an expectation of the user that nobody can evaluate, naming file and key.
    """
    began = clock()
    with _alone(quality_folder(settings), feed, seconds_to_wait, progress):
        behind = reports_behind(lake, feed, settings)
        if not behind:
            return Reported(feed.name, (), (), (), 0, clock() - began)
        ends = float("inf") if budget_seconds is None else began + budget_seconds
        work = _Work(lake, feed, settings, _Request(now_us, run_url, progress, clock, ends))
        return work.run(behind, began)


@dataclass(frozen=True, slots=True)
class _Request:
    """What one go was asked for with; `ends` is when it stops, on `clock`."""

    now_us: int
    run_url: str | None
    say: Say
    clock: Callable[[], float]
    ends: float


class _Work:
    """One go at what is behind."""

    def __init__(self, lake: Lake, feed: Feed, settings: Settings, request: _Request) -> None:
        self._lake, self._feed, self._settings, self._request = lake, feed, settings, request
        self._folder = quality_folder(settings)
        request.say(f"loading Great Expectations for {feed.name}")
        # It takes seconds, and nothing is behind most of the time.
        from marketdata_pipelines.quality.gx.docs import DocsSite
        from marketdata_pipelines.quality.gx.together import run_together

        self._expected = expectations_digest(settings.folder, feed.name)
        check = expectation_checks(settings.folder, feed) if self._expected else None
        ticks = TickSizes.of(lake, feed)
        self._validator = PartitionValidator(lake, feed, run_together, check, expected=self._expected, ticks=ticks)
        self._docs = DocsSite(self._folder, feed.name)
        self._validated: list[Validation] = []
        self._months: list[str] = []
        self._reports: list[Path] = []
        self._total, self._told = 0, request.clock()

    def run(self, behind: Behind, began: float) -> Reported:
        """Newest months first, as far as there is time."""
        by_month = _by_month(behind.partitions)
        now = _by_month(quality_inputs(self._lake, self._feed, self._expected))
        self._total, paged = len(behind.partitions), self._paged(behind)
        for name in sorted(behind.months, reverse=True):
            if self._is_over():
                break
            self._month(name, sorted(by_month.get(name, ()), reverse=True), now.get(name, {}), paged)
        if self._reports:
            write_index(self._settings.folder, self._feed.name)
        left = len(behind.partitions) - len(self._validated)
        seconds = self._request.clock() - began
        months, reports = tuple(self._months), tuple(self._reports)
        return Reported(self._feed.name, tuple(self._validated), months, reports, left, seconds)

    def _month(self, name: str, keys: Sequence[str], there: Mapping[str, str], paged: frozenset[str]) -> None:
        month = _known(self._folder, self._feed, name, there)
        for group in self._groups(keys):
            if self._is_over():
                break
            for key, done in self._validate(group).items():
                if done is None:
                    self._request.say(f"{self._feed.name} {key} was written meanwhile; it is left for the next time")
                    continue
                self._record(name, done)
                if key in paged:
                    self._page(key, name)
                month = month.with_validation(done.validation)
                write_month(self._folder, self._feed.name, month)
                self._validated.append(done.validation)
                self._tell(key)
        self._docs.build(name)
        write_month(self._folder, self._feed.name, replace(month, site=site_version(month)))
        self._months.append(name)

    def _groups(self, keys: Sequence[str]) -> Iterator[list[str]]:
        rows: dict[str, int] = defaultdict(int)
        for table in (VALIDATED_BARS, REJECTED_BARS) if keys else ():
            for stored in self._lake.catalog.stored(table, self._feed.name, min(keys), max(keys)):
                rows[stored.partition] += stored.rows
        return validation_groups(keys, rows, first_alone=not self._validated)

    def _validate(self, keys: Sequence[str]) -> dict[str, Validated | None]:
        found = self._validator.validate(keys, now_us=self._request.now_us)
        for _ in range(_LOOKS - 1):
            # A run that has just written a day goes on with the week it lies in: a second look mostly finds it at rest.
            moved = [key for key, done in found.items() if done is None]
            if moved:
                found |= self._validator.validate(moved, now_us=self._request.now_us)
        return found

    def _record(self, month: str, done: Validated) -> None:
        for outcome in done.outcomes:
            self._docs.record(month, done.validation.partition, outcome, self._request.now_us, grade=done.grade)

    def _page(self, key: str, month: str) -> None:
        """The report on a partition, up to its last session."""
        if self._lake.catalog.stored_partition(QUALITY_SCORES, self._feed.name, key) is None:
            return
        sessions = session_scores(key, self._lake.read(QUALITY_SCORES, self._feed.name, key))
        if not sessions:
            return
        data = collect_report(
            self._lake, self._feed, date.fromisoformat(key), sessions[-1].session,
            now_us=self._request.now_us,
            docs_url=f"../../docs/{self._feed.name}/{month}/index.html",
            run_url=self._request.run_url,
        )  # fmt: skip
        self._reports.append(write_report(self._settings.folder, data, index=False))

    def _paged(self, behind: Behind) -> frozenset[str]:
        """The partitions that get a page: all where they are few, else the feed's newest."""
        if len(behind.partitions) <= REPORTS:
            return frozenset(behind.partitions)
        judged = [stored.partition for stored in self._lake.catalog.stored(QUALITY_SCORES, self._feed.name)]
        return frozenset(judged[-REPORTS:])

    def _is_over(self) -> bool:
        # One at least is done each time, so that it comes to an end.
        return bool(self._validated) and self._request.clock() >= self._request.ends

    def _tell(self, key: str) -> None:
        now = self._request.clock()
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            self._request.say(f"{self._feed.name}: {len(self._validated)} of {self._total} validated, at {key}")


def _by_month(inputs: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for key, each in inputs.items():
        found[month_of(key)][key] = each
    return found


def _known(folder: Path, feed: Feed, name: str, there: Mapping[str, str]) -> Month:
    """What is noted of a month's partitions that are there; nothing where somebody has removed its site."""
    month = read_month(folder, feed.name, name)
    if month.site and not (folder / "docs" / feed.name / name / "index.html").is_file():
        return Month(name)
    return month.of(there)


def _is_behind(month: Month, key: str, inputs: str) -> bool:
    validation = month.validations.get(key)
    return validation is None or validation.inputs != inputs


def site_version(month: Month) -> str:
    """What a month's site was made of; differs from what is noted once the site is behind."""
    return digest(f"{key}={each.inputs}" for key, each in sorted(month.validations.items()))


@contextmanager
def _alone(folder: Path, feed: Feed, seconds: float, say: Say) -> Iterator[None]:
    path = folder / ".locks" / f"{feed.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process makes the reports of {feed.name}; waiting for it")
        try:
            lock.acquire(timeout=seconds)
        except Timeout as error:
            raise PartitionConflict(
                f"the reports of {feed.name} have been in the making by another process for {seconds:.0f} s; "
                f"run it again once that is over: marketdata quality {feed.name} --report"
            ) from error
    try:
        yield
    finally:
        lock.release()
