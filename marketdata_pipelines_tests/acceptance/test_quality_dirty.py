"""Defects that only statistics show, in dirty files with labels: located, named, and no clean row told of."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from marketdata_pipelines.domain.quality.defect_kinds import named_kinds
from marketdata_pipelines_tests.acceptance.commands import run, shared_data
from marketdata_pipelines_tests.acceptance.taking_in import judged

DEFINITION = "{source: {kind: files}, interval: 1m, calendar: XNYS}"
STATISTICAL = (
    "price_spike_10x",
    "bad_print_wick",
    "stale_flat_run",
    "tz_shift",
    "split_unadjusted",
    "label_end_convention",
    "gap_missing_minutes",
)
# Files of these defects, files of several, and files with nothing statistical wrong.
FILES = (
    "price_spike_10x.csv",
    "bad_print_wick.csv",
    "stale_flat_run.csv",
    "tz_shift_one_day.csv",
    "split_unadjusted.csv",
    "label_end_convention.csv",
    "gap_missing_minutes.csv",
    "mixed_all.csv",
    "mixed_all.jsonl",
    "clean_1.csv",
    "clean_2.csv",
    "clean_3.csv",
    "crlf_mixed_eol.csv",
    "reverse_sorted.csv",
    "unsorted.csv",
    "utf8_bom.csv",
    "out_of_session.csv",
    "dup_conflict.csv",
)
COLUMNS = ("file", "line", "row", "symbol", "ts", "rules", "original")
SECONDS = pa.timestamp("s", tz="UTC")
Scores = dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module", params=["alone", "together"])
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scores, str, list[str]]:
    """{kind: (located, named, labels)}, what the scorer says, and the clean files of which something was told.

    Each file in a feed of its own, or all in one feed through the command line, where later files replace earlier ones.
    """
    data, folder = shared_data(), tmp_path_factory.mktemp(f"dirty_{request.param}")
    paths = [str(data / "dirty" / name) for name in FILES]
    listed = folder / "rejected.csv"
    if request.param == "together":
        _list_together(folder, paths, listed)
    else:
        _list_alone(folder, paths, listed)
    kinds = folder / "kinds.json"
    kinds.write_text(json.dumps(named_kinds()), "utf-8")
    labels = data / "dirty" / "labels.csv"
    own_labels = folder / "labels.csv"
    _copy_labels(labels, own_labels)
    natural = str(data / "dirty" / "natural_oddities.csv")
    command = [
        sys.executable, str(data / "score.py"), str(listed), "--labels", str(own_labels), "--natural", natural,
        "--kinds", str(kinds),
    ]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with listed.open(newline="", encoding="utf-8") as handle:
        told = sorted({row["file"] for row in csv.DictReader(handle) if row["file"].startswith("clean_")})
    return _scores(output), output, told


def test_nearly_all_statistical_defects_are_located_and_named(scored: tuple[Scores, str, list[str]]) -> None:
    scores = scored[0]

    located = {kind: scores[kind][0] / scores[kind][2] for kind in STATISTICAL}
    named = {kind: scores[kind][1] / scores[kind][2] for kind in STATISTICAL}

    assert min(located.values()) >= 0.95, located
    assert min(named.values()) >= 0.9, named


def test_no_clean_row_is_told_of(scored: tuple[Scores, str, list[str]]) -> None:
    assert "false alarms 0 rows + 0 rows of files refused without cause" in scored[1]
    assert scored[2] == []


def _list_together(folder: Path, paths: list[str], listed: Path) -> None:
    (folder / "feeds.yaml").write_text(f"feeds:\n  dirty: {DEFINITION}\n", "utf-8")
    taken = run(folder, "ingest", "dirty", *paths, "--materialize")
    assert "Traceback" not in taken.stderr
    written = run(folder, "rejected", "dirty", "--findings", "--format", "csv", "--out", str(listed))
    assert written.returncode == 0, written.stderr


def _list_alone(folder: Path, paths: list[str], listed: Path) -> None:
    with listed.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for number, path in enumerate(paths):
            name = f"file_{number}"
            writer.writerows(_rows(judged(folder / name, name, DEFINITION, [path]).rejected(name, findings=True)))


def _rows(rejected: pa.Table) -> Iterator[tuple[object, ...]]:
    times = pc.strftime(rejected["ts"].cast(SECONDS, safe=False), "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    columns = [times if name == "ts" else rejected[name].to_pylist() for name in COLUMNS]
    yield from zip(*columns, strict=True)


def _copy_labels(labels: Path, target: Path) -> None:
    """The labels of the files that are taken in."""
    with labels.open(newline="", encoding="utf-8") as source, target.open("w", newline="", encoding="utf-8") as copy:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(copy, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows(row for row in rows if row["file"] in FILES)


def _scores(output: str) -> Scores:
    scores = {}
    for line in output.splitlines():
        words = line.replace("/", " ").split()
        if words[1:2] == ["located"]:
            scores[words[0]] = (int(words[2]), int(words[5]), int(words[3]))
    return scores
