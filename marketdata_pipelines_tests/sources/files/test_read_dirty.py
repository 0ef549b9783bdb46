"""The labelled dirty files: every defect a parser can see is named in its row, and nothing else is."""

import csv
from pathlib import Path

import pytest

from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines_tests.sources.files.conftest import build_feed, read_whole

# Defects of a row that show in its text alone; the others are about values and are found later.
PARSER_DEFECTS = {
    *(
        "ragged_short",
        "ragged_long",
        "truncated_last_line",
        "huge_line",
        "nul_bytes",
        "mixed_encoding",
        "unclosed_quote",
    ),
    *("repeated_header", "footer_total", "bad_timestamp", "epoch_unit_mix", "date_format_mix", "dst_nonexistent"),
    *("volume_bad_format", "symbol_empty_or_sql", "symbol_case_space", "symbol_csv_injection"),
    *("symbol_path_traversal", "symbol_unicode"),
}
REFUSED = {
    "duplicate_header_names.csv": "duplicate_header",
    "empty_file.csv": "empty_file",
    "gzip_bad_crc.csv.gz": "compression_damaged",
    "header_only.csv": "no_rows",
    "missing_column_low.csv": "missing_column",
    "missing_column_symbol.csv": "missing_column",
    "swapped_high_low_header.csv": "swapped_columns",
    "truncated.parquet": "container_damaged",
    "truncated_gzip.csv.gz": "compression_damaged",
}
WARNED = {
    "decimal_comma.csv": ["decimal_comma"],
    "gzip_named_but_plain.csv.gz": ["not_compressed"],
    "naive_ts.parquet": ["naive_timestamp"],
    "no_header.csv": ["header_guessed"],
    "string_price.parquet": ["price_as_string"],
    "utf16.csv": ["transcoded"],
}


def labels(folder: Path) -> dict[str, dict[int, set[str]]]:
    found: dict[str, dict[int, set[str]]] = {}
    with open(folder / "labels.csv", newline="", encoding="utf-8") as stream:
        for label in csv.DictReader(stream):
            rows = found.setdefault(label["file"], {})
            if label["row"]:
                rows.setdefault(int(label["row"]), set()).add(label["defect"])
    return found


def test_each_file_is_judged_as_labelled(shared_data: Path) -> None:
    folder = shared_data / "dirty"
    wrong = []
    for name, rows in labels(folder).items():
        try:
            outcome = read_whole(str(folder / name), build_feed())
        except SourceRejected as refused:
            if REFUSED.get(name) != refused.rule:
                wrong.append(f"{name} refused: {refused.rule}")
            continue
        if name in REFUSED:
            wrong.append(f"{name} not refused")
        if outcome.warnings != WARNED.get(name, []):
            wrong.append(f"{name} warnings {outcome.warnings}")
        wanted = {row for row, defects in rows.items() if defects & PARSER_DEFECTS}
        # A price that is not there is seen here; one that is NaN is a value and is judged later.
        missing = {row for row, defects in rows.items() if "nan_or_missing_price" in defects}
        if not wanted <= set(outcome.flagged) <= wanted | missing:
            wrong.append(f"{name} rows {sorted(set(outcome.flagged) ^ wanted)}")
        for row in wanted & set(outcome.flagged):
            kinds = {kind for rule in outcome.flagged[row].split(";") for kind in RULE_BY_ID[rule].kinds}
            if not kinds & rows[row]:
                wrong.append(f"{name} row {row} named {outcome.flagged[row]}")

    assert wrong == []


def test_missing_prices_are_told_from_nan(shared_data: Path) -> None:
    outcome = read_whole(str(shared_data / "dirty" / "nan_or_missing_price.csv"), build_feed())

    assert outcome.flagged == {106: "missing_price", 116: "missing_price", 432: "missing_price", 685: "missing_price"}


def test_a_repeated_hour_with_both_passes_is_read_without_loss(shared_data: Path) -> None:
    outcome = read_whole(str(shared_data / "dirty" / "dst_ambiguous.csv"), build_feed())

    hours = sorted(text[:13] for text in outcome.times)
    assert outcome.flagged == {}
    assert [hours.count(f"2013-11-03 {hour}") for hour in ("04", "05", "06", "07", "08")] == [30, 60, 60, 60, 30]
    assert len(set(outcome.times)) == 240


CLEAN = ("clean_1", "clean_2", "clean_3", "utf8_bom", "crlf_mixed_eol", "extra_columns", "unsorted", "reverse_sorted")


@pytest.mark.parametrize("name", CLEAN)
def test_clean_files_have_neither_findings_nor_rules(shared_data: Path, name: str) -> None:
    outcome = read_whole(str(shared_data / "dirty" / f"{name}.csv"), build_feed())

    assert outcome.plan.findings == ()
    assert outcome.flagged == {}
