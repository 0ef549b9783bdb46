"""Users' expectation files: every form they may have, and what a broken one is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.domain.quality.records import Dimension, Severity
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.quality.expectations import (
    expectations_folder,
    expectations_version,
    has_expectations,
    read_expectations,
)

ONE = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "vwap"}}


def write(folder: Path, name: str, content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def test_a_feed_without_a_folder_expects_nothing(tmp_path: Path) -> None:
    folder = expectations_folder(tmp_path, "feed")

    assert (has_expectations(folder), read_expectations(folder), expectations_version(())) == (False, (), "")


def test_one_a_list_and_a_suite_are_read_in_order_of_files(tmp_path: Path) -> None:
    write(tmp_path, "a.json", ONE)
    write(tmp_path, "b.yaml", "- type: expect_table_row_count_to_be_between\n  kwargs: {min_value: 1}\n")
    write(
        tmp_path,
        "c.yml",
        "name: s\ntable: bars_1h\nexpectations:\n- type: expect_column_to_exist\n  kwargs: {column: vwap}\n",
    )
    write(tmp_path, "README.md", "not an expectation")

    found = read_expectations(tmp_path)

    assert [(each.type, each.table) for each in found] == [
        ("expect_column_values_to_not_be_null", "validated_bars"),
        ("expect_table_row_count_to_be_between", "validated_bars"),
        ("expect_column_to_exist", "bars_1h"),
    ]
    assert has_expectations(tmp_path)


def test_a_suite_as_great_expectations_writes_it_is_read(tmp_path: Path) -> None:
    written = {
        "name": "mine",
        "id": None,
        "meta": {"great_expectations_version": "1.24.1"},
        "notes": None,
        "expectations": [
            {**ONE, "id": "6f", "meta": {"dimension": "completeness"}, "severity": "warning", "notes": "n"}
        ],
    }
    write(tmp_path, "suite.json", written)

    [found] = read_expectations(tmp_path)

    assert (found.severity, found.dimension, found.key) == (Severity.WARN, Dimension.COMPLETENESS, "expectations[0].")


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ({}, Severity.BLOCK),
        ({"severity": "critical"}, Severity.BLOCK),
        ({"severity": "info"}, Severity.WARN),
        ({"meta": {"severity": "warning"}}, Severity.WARN),
    ],
)
def test_critical_blocks_and_the_rest_warns(tmp_path: Path, said: dict[str, Any], severity: Severity) -> None:
    write(tmp_path, "one.json", {**ONE, **said})

    assert read_expectations(tmp_path)[0].severity is severity


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", '{"type": "x",\n "kwargs": }', "a.json, line 2: is no JSON"),
        ("a.yaml", "type: [x\nkwargs: 1", "a.yaml, line 2: is no YAML"),
        ("a.json", '"text"', "a.json: is no expectation; write a mapping"),
        ("a.json", {"kwargs": {}}, "a.json: type is missing"),
        ("a.json", [ONE, 5], r"a.json: \[1\] must be a mapping"),
        ("a.json", [ONE, {**ONE, "kwarg": {}}], r"a.json: \[1\]\.kwarg is no key of an expectation"),
        ("a.json", {**ONE, "kwargs": [1]}, "a.json: kwargs must be a mapping"),
        ("a.json", {**ONE, "severity": "fatal"}, "a.json: severity 'fatal' is unknown; use critical, warning, info"),
        ("a.json", {**ONE, "meta": {"dimension": "beauty"}}, "a.json: meta.dimension 'beauty' is unknown"),
        ("a.json", {"expectations": {}, "table": "x"}, "a.json: expectations must be a list"),
        ("a.json", {"expectations": [], "feed": "x"}, "a.json: feed is no key of a suite"),
        ("a.json", {"expectations": [ONE], "table": 7}, "a.json: table must be a text"),
    ],
)
def test_a_broken_file_is_named_with_its_key(tmp_path: Path, name: str, content: Any, told: str) -> None:
    write(tmp_path, name, content)

    with pytest.raises(SettingsInvalid, match=told):
        read_expectations(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"type: \xff\xfe")

    with pytest.raises(SettingsInvalid, match=r"a\.yaml: is no text in UTF-8"):
        read_expectations(tmp_path)


def test_the_version_follows_what_is_expected_and_not_where_it_stands(tmp_path: Path) -> None:
    here, there, other = (tmp_path / name for name in ("here", "there", "other"))
    write(here, "a.json", ONE)
    write(there, "b.json", [ONE])
    write(other, "a.json", {**ONE, "severity": "info"})

    versions = [expectations_version(read_expectations(folder)) for folder in (here, there, other)]

    assert versions[0] == versions[1] != versions[2]
