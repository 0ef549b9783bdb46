"""What an answer has to say about itself beside its rows: kept in the table's schema, told by whoever shows it."""

import json
from collections.abc import Iterable

import pyarrow as pa

_KEY = b"marketdata.notes"


def with_notes(answer: pa.Table, notes: Iterable[str]) -> pa.Table:
    """The same rows with more notes; none at all leave the table as it is."""
    told = [*answer_notes(answer), *notes]
    if not told:
        return answer
    metadata = {**(answer.schema.metadata or {}), _KEY: json.dumps(list(dict.fromkeys(told))).encode()}
    return answer.replace_schema_metadata(metadata)


def answer_notes(answer: pa.Table) -> list[str]:
    """The notes of an answer, in order."""
    return [str(note) for note in json.loads((answer.schema.metadata or {}).get(_KEY, b"[]"))]
