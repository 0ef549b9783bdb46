"""What is known of corporate actions and instruments, now or at an earlier instant; what there is of each reference.

Answers ask this for every question, so it stays quick: nothing here reads a source or writes. Taking files in is in
`reference_intake`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import ALL, Reference, ReferenceKind
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.stores.lake.catalog import Ingest, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file

# How the ledger names an ingest after which nothing known before it stands.
REPLACING = "replace_window"
# The finding of each of its files that says how many files the replacement has.
REPLACEMENT_OF = "replacement_of"
ACCEPTED, REFUSED = "accepted", "refused"
REJECTED_REFERENCE_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("row", pa.int64()),
        ("symbol", pa.string()),
        ("rules", pa.string()),
        ("original", pa.string()),
    ]
)
_DATES = {ReferenceKind.CORPORATE_ACTIONS: ("ex_date",), ReferenceKind.INSTRUMENTS: ("from_date", "to_date")}
_KEPT = 64


@dataclass(frozen=True, slots=True)
class ReferenceSummary:
    """What there is of one reference; instants in UTC microseconds, None where nothing was taken in.

    `rows` stand, `rejected` are bad rows of the newest content of each file; `files` count contents that stand.
    """

    rows: int
    symbols: int
    first_date: date | None
    last_date: date | None
    rejected: int
    files: int
    refused: int
    first_known_at_us: int | None
    last_known_at_us: int | None


def known_actions(lake: Lake, reference: Reference, as_of_us: int | None = None) -> pa.Table:
    """The corporate actions known at an instant (UTC microseconds, included; now when left out).

    Shape:   ACTION_SCHEMA, sorted by (symbol, ex_date).
    Errors:  SettingsInvalid when the reference is of another kind.
    """
    return _known(lake, reference, ReferenceKind.CORPORATE_ACTIONS, as_of_us)


def known_instruments(lake: Lake, reference: Reference, as_of_us: int | None = None) -> pa.Table:
    """The instruments and their dated symbols known at an instant (UTC microseconds, included; now when left out).

    Shape:   STANDING_INSTRUMENT_SCHEMA (see `domain.instruments`), sorted by (instrument_id, from_date).
    Errors:  SettingsInvalid when the reference is of another kind.
    """
    return _known(lake, reference, ReferenceKind.INSTRUMENTS, as_of_us)


def known_rows(lake: Lake, reference: Reference, as_of_us: int | None = None) -> pa.Table:
    """What stands of a reference of either kind."""
    return _known(lake, reference, reference.kind, as_of_us)


def actions_of(
    lake: Lake, feed: Feed, references: Mapping[str, Reference], as_of_us: int | None = None
) -> pa.Table | None:
    """The corporate actions a feed names, as known at an instant; None where it names none."""
    name = feed.corporate_actions
    return None if name is None else known_actions(lake, _named(name, feed, references), as_of_us)


def instruments_of(
    lake: Lake, feed: Feed, references: Mapping[str, Reference], as_of_us: int | None = None
) -> pa.Table | None:
    """The instruments a feed names, as known at an instant; None where it names none."""
    name = feed.instruments
    return None if name is None else known_instruments(lake, _named(name, feed, references), as_of_us)


def users_of(reference: Reference, feeds: Iterable[Feed]) -> list[str]:
    """The feeds that name a reference."""
    return [feed.name for feed in feeds if reference.name in (feed.corporate_actions, feed.instruments)]


def standing_parts(lake: Lake, reference: Reference, as_of_us: int | None = None) -> list[StandingPart]:
    """The raw parts that count at an instant, in ledger order.

    Nothing counts that was known before the last replacement.
    """
    found = lake.catalog.standing_parts(reference.name, [ALL], as_of_us=as_of_us)
    parts = [each for each in found if each.part.tbl == reference.table]
    replacing = last_replacement(_ingests(lake, reference, as_of_us))
    if not replacing:
        return parts
    begins = min(map(_moment, replacing))
    return [each for each in parts if _moment(each.ingest) >= begins]


def last_replacement(ingests: Sequence[Ingest]) -> list[Ingest]:
    """The files of the last replacement that is whole; `ingests` are in order of sequence.

    All files of one run replace together. Of a run that was killed in between, some are missing: until it is run
    again its files only add.
    """
    runs: dict[str, list[Ingest]] = {}
    for each in ingests:
        if each.mode == REPLACING and each.status == ACCEPTED:
            runs.setdefault(each.run_id, []).append(each)
    whole = [files for files in runs.values() if dict(files[0].findings).get(REPLACEMENT_OF) == str(len(files))]
    return whole[-1] if whole else []


def summary(lake: Lake, reference: Reference, as_of_us: int | None = None) -> ReferenceSummary:
    """What there is of a reference at an instant."""
    parts, rows = standing_parts(lake, reference, as_of_us), known_rows(lake, reference, as_of_us)
    days = [pc.min_max(rows[name]).as_py() for name in _DATES[reference.kind]]
    known = [each.ingest.known_at_us for each in parts]
    return ReferenceSummary(
        rows=rows.num_rows,
        symbols=len(rows["symbol"].unique().drop_null()),
        first_date=min((each["min"] for each in days if each["min"]), default=None),
        last_date=max((each["max"] for each in days if each["max"]), default=None),
        rejected=_bad_rows(lake, _newest_parts(parts)).num_rows,
        files=len(parts),
        refused=len(_refused(lake, reference, as_of_us)),
        first_known_at_us=min(_accepted_at(lake, reference, as_of_us), default=None),
        last_known_at_us=max(known, default=None),
    )


def rejected_rows(lake: Lake, reference: Reference) -> pa.Table:
    """Rows and files kept out: bad rows of the newest content of each file, and files refused whole.

    Shape:   REJECTED_REFERENCE_SCHEMA; `line` and `row` are null where a rule is about the whole file.
    """
    rows = _bad_rows(lake, _newest_parts(standing_parts(lake, reference)))
    files = [
        {"file": each.file, "rules": each.rule, "original": each.message} for each in _refused(lake, reference, None)
    ]
    refused = pa.Table.from_pylist(files, schema=REJECTED_REFERENCE_SCHEMA)
    return pa.concat_tables([rows, refused]).sort_by([("file", "ascending"), ("row", "ascending")])


def count_bad_rows(lake: Lake, part: StandingPart) -> int:
    """How many rows of a raw part are bad."""
    return int(_bad_rows_of(lake.layout.root / part.part.path, part.ingest.file).num_rows)


def _known(lake: Lake, reference: Reference, kind: ReferenceKind, as_of_us: int | None) -> pa.Table:
    if reference.kind is not kind:
        raise SettingsInvalid(f"{reference.name} holds {reference.kind}, not {kind}; name another reference")
    paths = tuple(each.part.path for each in standing_parts(lake, reference, as_of_us))
    return _combined(kind, lake.layout.root, paths)


# Raw parts never change, so their paths say all.
@lru_cache(maxsize=_KEPT)
def _combined(kind: ReferenceKind, root: Path, paths: tuple[str, ...]) -> pa.Table:
    # What these import takes longer than most answers of feeds that name no reference.
    if kind is ReferenceKind.CORPORATE_ACTIONS:
        from marketdata_pipelines.domain.actions import standing_actions

        return standing_actions([read_file(root / path) for path in paths])
    from marketdata_pipelines.domain.instruments import standing_instruments

    return standing_instruments([read_file(root / path) for path in paths])


def _named(name: str, feed: Feed, references: Mapping[str, Reference]) -> Reference:
    if name not in references:
        known = ", ".join(references) or "none yet"
        raise SettingsInvalid(f"{feed.name} names {name!r}, which is not under references; there: {known}")
    return references[name]


def _moment(ingest: Ingest) -> tuple[int, int]:
    """The ledger's order."""
    return ingest.known_at_us, ingest.seq


def _newest_parts(parts: Sequence[StandingPart]) -> list[StandingPart]:
    """Of each path the part it brought last: rows that a file no longer has are no longer bad."""
    return list({each.ingest.path: each for each in parts}.values())


def _bad_rows(lake: Lake, parts: Sequence[StandingPart]) -> pa.Table:
    found = [_bad_rows_of(lake.layout.root / each.part.path, each.ingest.file) for each in parts]
    return pa.concat_tables([REJECTED_REFERENCE_SCHEMA.empty_table(), *found])


@lru_cache(maxsize=_KEPT * 16)
def _bad_rows_of(path: Path, file: str) -> pa.Table:
    rows = read_file(path, REJECTED_REFERENCE_SCHEMA.names[1:])
    rows = rows.filter(pc.is_valid(rows["rules"]))
    return rows.add_column(0, "file", pa.array([file] * rows.num_rows, pa.string())).cast(REJECTED_REFERENCE_SCHEMA)


def _refused(lake: Lake, reference: Reference, as_of_us: int | None) -> list[Ingest]:
    """The files whose newest ingest was refused."""
    newest = {each.path: each for each in _ingests(lake, reference, as_of_us)}
    return [each for each in newest.values() if each.status == REFUSED]


def _accepted_at(lake: Lake, reference: Reference, as_of_us: int | None) -> list[int]:
    return [each.known_at_us for each in _ingests(lake, reference, as_of_us) if each.status == ACCEPTED]


def _ingests(lake: Lake, reference: Reference, as_of_us: int | None) -> list[Ingest]:
    found = lake.catalog.ingests(reference.name)
    return [each for each in found if as_of_us is None or each.known_at_us <= as_of_us]
