"""What a file of reference data is known by, and that any bytes give rows or a refusal."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.references import STYLES, Reference, ReferenceKind
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.pipeline.reference_files import ReferenceFile, parse_reference_file, read_reference_file
from marketdata_pipelines.sources.reference.actions import ActionStyle
from marketdata_pipelines.sources.reference.instruments_csv import InstrumentStyle

ACTIONS = Reference("acts", ReferenceKind.CORPORATE_ACTIONS)
NAMES = Reference("names", ReferenceKind.INSTRUMENTS)
SPLITS = b"symbol,ex_date,kind,ratio\nAAPL,2014-06-09,split,7\n"
ALIASES = b"instrument_id,symbol,from\nMETA,FB,2012-05-18\n"


def identity(reference: Reference, name: str, content: bytes) -> str:
    return parse_reference_file(ReferenceFile(name, f"/{name}", "digest", len(content), content), reference).identity


def test_styles_are_those_the_readers_know() -> None:
    assert {
        ReferenceKind.CORPORATE_ACTIONS: tuple(map(str, ActionStyle)),
        ReferenceKind.INSTRUMENTS: tuple(map(str, InstrumentStyle)),
    } == STYLES


@pytest.mark.parametrize(("reference", "content"), [(ACTIONS, SPLITS), (NAMES, ALIASES)])
def test_a_file_that_names_its_symbols_is_known_by_its_content(reference: Reference, content: bytes) -> None:
    assert identity(reference, "a.csv", content) == "digest"


@pytest.mark.parametrize(
    ("reference", "name", "content"),
    [
        (ACTIONS, "AAPL.factor.csv", b"20140101,0.5,1,1\n20501231,1,1,0\n"),
        (ACTIONS, "AAPL.csv", b"date,splits\n2014-06-09,7:1\n"),
        (NAMES, "aapl.csv", b"19980102,aapl,Q\n20501231,aapl,Q\n"),
    ],
)
def test_a_file_named_after_its_symbol_is_known_by_its_name_too(
    reference: Reference, name: str, content: bytes
) -> None:
    assert identity(reference, name, content) == f"digest {name}"


def test_a_file_is_read_with_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(SPLITS)

    file = read_reference_file(str(path))

    assert (file.name, file.path, file.content, file.size_bytes) == ("a.csv", str(path), SPLITS, len(SPLITS))
    assert len(file.sha256) == 64


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "aapl.factor.csv", "qqq.map.csv", ".", "x"]))
def test_any_bytes_give_rows_or_a_refusal(content: bytes, name: str) -> None:
    file = ReferenceFile(name, name, "digest", len(content), content)
    for reference in (ACTIONS, NAMES):
        try:
            parsed = parse_reference_file(file, reference)
        except SourceRejected:
            continue
        assert 0 <= parsed.good == parsed.rows.num_rows - parsed.rejected
