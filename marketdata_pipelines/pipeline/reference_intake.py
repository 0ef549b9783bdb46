"""Files of reference data into raw parts: each content once, whole or not at all, with its place in the ledger.

What stands after all of them is in `references`; how a file is read in `sources.reference`.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.references import ALL, Reference, ReferenceKind, ReferenceMode
from marketdata_pipelines.errors import SourceError, SourceRejected, SourceUnavailable
from marketdata_pipelines.pipeline.reference_files import (
    ParsedFile,
    ReferenceFile,
    base_name,
    parse_reference_file,
    read_reference_file,
    stored_bytes,
)
from marketdata_pipelines.pipeline.references import (
    ACCEPTED,
    REFUSED,
    REPLACEMENT_OF,
    REPLACING,
    count_bad_rows,
    last_replacement,
    standing_parts,
)
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.sources.files.compression import is_url
from marketdata_pipelines.sources.files.listing import file_digest, list_files
from marketdata_pipelines.sources.files.wholeness import is_in_the_making
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake, digest

logger = logging.getLogger(__name__)
_LEDGER_MODES = {ReferenceMode.UPSERT: "upsert", ReferenceMode.REPLACE: REPLACING}
_DATES = {ReferenceKind.CORPORATE_ACTIONS: "ex_date", ReferenceKind.INSTRUMENTS: "from_date"}


class TakenStatus(StrEnum):
    """`known`: nothing new. `left`: not taken in now, maybe later."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    REFUSED = "refused"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class TakenFile:
    """What became of one file: `rows` as parsed, `rejected` of them bad; `message` is why it was refused or left."""

    file: str
    status: TakenStatus
    rows: int = 0
    rejected: int = 0
    rule: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class IntakeRun:
    """Who takes files in, and when they become known (UTC microseconds)."""

    run_id: str
    now_us: int


def take_in_reference(
    lake: Lake, reference: Reference, paths: Sequence[str], run: IntakeRun, mode: ReferenceMode | None = None
) -> list[TakenFile]:
    """Take in files in order, as the reference's mode or another says; all become known at one instant.

    `upsert`: a file adds rows and corrects those known before; one that is refused leaves the others alone.
    `replace`: these files together are the whole truth; unless all can be taken in, none is.
    Errors:  PartitionConflict when another intake holds the reference's lock for minutes.
    """
    chosen = reference.mode if mode is None else mode
    paths = [path if is_url(path) else os.path.abspath(path) for path in paths]
    with lake.writing(reference.name):
        intake = _Intake(lake, reference, run, chosen)
        return intake.replace_by(paths) if chosen is ReferenceMode.REPLACE else [intake.add(path) for path in paths]


def take_in_own_files(lake: Lake, reference: Reference, source_path: str | None, run: IntakeRun) -> list[TakenFile]:
    """Take in what is new or changed below a reference's own path; nothing there yet is no error.

    A file that is being written is left for later; where files replace, all of them are.
    """
    if source_path is None:
        return []
    try:
        paths = list_files(source_path)
    except SourceUnavailable:
        if "://" in source_path:
            raise
        return []
    unready = [path for path in paths if is_in_the_making(path, run.now_us)]
    left = [TakenFile(base_name(path), TakenStatus.LEFT, message="it is being written") for path in unready]
    if unready and reference.mode is ReferenceMode.REPLACE:
        return left
    return [*take_in_reference(lake, reference, [path for path in paths if path not in unready], run), *left]


class _Intake:
    """One run's files, under the reference's lock."""

    def __init__(self, lake: Lake, reference: Reference, run: IntakeRun, mode: ReferenceMode) -> None:
        self._lake, self._reference, self._run, self._mode = lake, reference, run, mode
        self._ingests = lake.catalog.ingests(reference.name)
        # Kept in step below: a folder may have a file for every symbol.
        self._newest = {each.sha256: each for each in self._ingests}
        self._said_last = {each.path: each.sha256 for each in self._ingests}
        # A part whose file is gone is to be written again.
        standing = [each for each in standing_parts(lake, reference) if (lake.layout.root / each.part.path).exists()]
        self._standing = {each.ingest.seq: each for each in standing}

    def add(self, path: str) -> TakenFile:
        """Take in one file beside what there is."""
        try:
            file = read_reference_file(path)
        except SourceRejected as refusal:
            return self._refuse(_damaged(path), refusal)
        except SourceError as error:
            return TakenFile(base_name(path), TakenStatus.LEFT, message=str(error))
        known = self._known(file)
        if known is not None:
            return known
        try:
            parsed = parse_reference_file(file, self._reference)
        except SourceRejected as refusal:
            return self._refuse(file, refusal)
        return self._accept(parsed)

    def replace_by(self, paths: Sequence[str]) -> list[TakenFile]:
        """Take in all files in place of what there is, or none."""
        parsed: list[ParsedFile] = []
        found: list[TakenFile] = []
        for path in paths:
            try:
                file = read_reference_file(path)
            except SourceRejected as refusal:
                found.append(self._refuse(_damaged(path), refusal))
                continue
            except SourceError as error:
                found.append(TakenFile(base_name(path), TakenStatus.LEFT, message=str(error)))
                continue
            try:
                parsed.append(parse_reference_file(file, self._reference))
            except SourceRejected as refusal:
                found.append(self._refuse(file, refusal))
        if parsed and not found and not any(each.good for each in parsed):
            # Most likely an export that went wrong: what is known is not given up for it.
            return [self._refuse(each.file, _nothing_to_replace_by(each.file)) for each in parsed]
        if found:
            return [*found, *(_left_with(each, found[0]) for each in parsed)]
        if self._is_whole_truth(parsed):
            return [TakenFile(each.file.name, TakenStatus.KNOWN, each.rows.num_rows, each.rejected) for each in parsed]
        findings = ((REPLACEMENT_OF, str(len(parsed))),)
        return [self._accept(each, findings) for each in parsed]

    def _known(self, file: ReferenceFile) -> TakenFile | None:
        """What the ledger says of a content that need not be read again."""
        newest = self._newest.get(file.named_identity) or self._newest.get(file.sha256)
        if newest is None or newest.parse_version != self._reference.parse_version:
            return None
        if newest.status == REFUSED:
            return TakenFile(file.name, TakenStatus.REFUSED, rule=newest.rule, message=newest.message)
        # A file that went back to what it said before says it again.
        went_back = self._said_last.get(file.path, newest.sha256) != newest.sha256
        if newest.seq not in self._standing or went_back:
            return None
        rejected = count_bad_rows(self._lake, self._standing[newest.seq])
        return TakenFile(file.name, TakenStatus.KNOWN, newest.rows, rejected)

    def _is_whole_truth(self, files: Sequence[ParsedFile]) -> bool:
        """Whether the last replacement was by these contents, read as they would be now, and nothing came since."""
        standing = {(each.ingest.sha256, each.ingest.parse_version) for each in self._standing.values()}
        replaced = {(each.sha256, each.parse_version) for each in last_replacement(self._ingests)}
        now = {(file.identity, self._reference.parse_version) for file in files}
        return standing == replaced == now

    def _accept(self, parsed: ParsedFile, findings: tuple[tuple[str, str], ...] = ()) -> TakenFile:
        file, rows = parsed.file, parsed.rows
        first, last = _span_us(rows[_DATES[self._reference.kind]])
        accepted = replace(
            self._record(file, parsed.identity),
            status=ACCEPTED,
            findings=findings,
            rows=rows.num_rows,
            first_ts_us=first,
            last_ts_us=last,
        )
        part = self._write(parsed)
        taken_in = self._note(accepted, [part])
        self._standing[taken_in.seq] = StandingPart(part, taken_in)
        logger.info("took %s into %s: %d rows", file.name, self._reference.name, rows.num_rows)
        return TakenFile(file.name, TakenStatus.ACCEPTED, rows.num_rows, parsed.rejected)

    def _write(self, parsed: ParsedFile) -> RawPart:
        reference, layout = self._reference, self._lake.layout
        part_id = digest((parsed.identity, reference.parse_version, _LEDGER_MODES[self._mode], ALL))
        path = layout.raw_part_file(reference.table, reference.name, ALL, part_id)
        manifest: dict[str, object] = {
            "file": parsed.file.name,
            "sha256": parsed.identity,
            "parse_version": reference.parse_version,
            "partition": ALL,
            "rows": parsed.rows.num_rows,
        }
        self._lake.write_raw(path, parsed.rows, manifest)
        return RawPart(ALL, reference.table, part_id, layout.relative(path), parsed.rows.num_rows)

    def _refuse(self, file: ReferenceFile, refusal: SourceRejected) -> TakenFile:
        record = self._record(file, file.named_identity)
        self._note(replace(record, status=REFUSED, rule=refusal.rule, message=str(refusal)), [])
        logger.info("refused %s for %s: %s", file.name, self._reference.name, refusal)
        return TakenFile(file.name, TakenStatus.REFUSED, rule=refusal.rule, message=str(refusal))

    def _note(self, ingest: Ingest, parts: Sequence[RawPart]) -> Ingest:
        """Commit an ingest to the ledger."""
        noted = replace(ingest, seq=self._lake.catalog.record_ingest(ingest, parts))
        self._newest[ingest.sha256], self._said_last[ingest.path] = noted, ingest.sha256
        return noted

    def _record(self, file: ReferenceFile, identity: str) -> Ingest:
        version = self._reference.parse_version
        return Ingest(
            feed=self._reference.name, file=file.name, path=file.path, sha256=identity, bytes=file.size_bytes,
            known_at_us=self._run.now_us, run_id=self._run.run_id, mode=_LEDGER_MODES[self._mode], status="",
            rule=None, message=None, findings=(), feed_version=version, parse_version=version, calendar_version="",
            code_version=code_version(), rows=0, first_ts_us=None, last_ts_us=None,
        )  # fmt: skip


def _damaged(path: str) -> ReferenceFile:
    """A file that cannot be unpacked."""
    return ReferenceFile(base_name(path), path, file_digest(path), stored_bytes(path), b"")


def _nothing_to_replace_by(file: ReferenceFile) -> SourceRejected:
    text = f"{file.name} has no row that can be used, and it would replace everything known"
    return SourceRejected(f"{text}; mend it, or take it in without replacing", rule="no_rows")


def _left_with(parsed: ParsedFile, other: TakenFile) -> TakenFile:
    text = f"{other.file} cannot be taken in, and the files replace what is known together or not at all"
    return TakenFile(parsed.file.name, TakenStatus.LEFT, parsed.rows.num_rows, parsed.rejected, message=text)


def _span_us(days: pa.ChunkedArray) -> tuple[int | None, int | None]:
    found = pc.min_max(days).as_py()
    return _midnight_us(found["min"]), _midnight_us(found["max"])


def _midnight_us(day: date | None) -> int | None:
    return None if day is None else round(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000
