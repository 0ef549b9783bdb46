"""The house: what every file of the project keeps to. Import directions are import-linter's."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
CODE = PROJECT / "marketdata_pipelines"
TESTS = PROJECT / "marketdata_pipelines_tests"
MODULES = sorted(path for path in CODE.rglob("*.py"))
TEST_FILES = sorted(path for path in TESTS.rglob("*.py"))
LONGEST_FILE = 320
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base", "manager", "managers"}
# Tests of the whole, which mirror no module.
OF_THE_WHOLE = ("test_house.py", "test_asset_graph.py", "acceptance/", "browser/")


def _name(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def _is_empty(path: Path) -> bool:
    return not path.read_text("utf-8").strip()


@pytest.mark.parametrize("path", [path for path in MODULES if not _is_empty(path)], ids=_name)
def test_a_module_says_what_it_owns(path: Path) -> None:
    text = path.read_text("utf-8")

    assert text.startswith('"""'), "the first line is a docstring"
    assert (ast.get_docstring(ast.parse(text)) or "").strip()


@pytest.mark.parametrize("path", [*MODULES, *TEST_FILES], ids=_name)
def test_a_file_stays_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE, "outgrown: split it by noun"


def test_no_drawer_for_odds_and_ends() -> None:
    assert [_name(path) for path in CODE.rglob("*") if path.stem in DRAWERS] == []


def test_package_files_are_empty_but_for_the_packages_own() -> None:
    full = [_name(path) for path in CODE.rglob("__init__.py") if not _is_empty(path)]

    assert full == ["marketdata_pipelines/__init__.py"]


def test_tests_mirror_the_tree() -> None:
    without_module = []
    for path in TEST_FILES:
        place = path.relative_to(TESTS).as_posix()
        if not path.name.startswith("test_") or place.startswith(OF_THE_WHOLE):
            continue
        # `test_read.py`, or one aspect of it: `test_read_dirty.py`.
        words = path.stem.removeprefix("test_").split("_")
        names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
        if not any((CODE / path.relative_to(TESTS).with_name(f"{name}.py")).exists() for name in names):
            without_module.append(place)

    assert without_module == []


def test_every_folder_of_code_and_tests_is_a_package() -> None:
    folders = {path.parent for path in (*MODULES, *TEST_FILES)}

    assert [_name(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_dagster_modules_keep_their_annotations_as_objects() -> None:
    # Dagster looks at `context: AssetExecutionContext` at runtime.
    dagster = [*(CODE / "defs").rglob("*.py"), *(CODE / "orchestration").rglob("*.py"), CODE / "definitions.py"]

    assert [_name(path) for path in dagster if "from __future__ import annotations" in path.read_text("utf-8")] == []


def test_generated_definitions_are_lists() -> None:
    # Dagster's loader silently drops tuples and dicts of assets.
    for path in (CODE / "defs").glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign):
                assert not isinstance(node.value, ast.Tuple | ast.Dict | ast.Set), f"{_name(path)} line {node.lineno}"


def test_sql_says_its_grain_first() -> None:
    for path in (CODE / "stores" / "sql").rglob("*.sql"):
        assert path.read_text("utf-8").startswith("-- "), f"{_name(path)} begins with a comment: grain and key"
        assert "select *\nfrom" not in path.read_text("utf-8").lower(), _name(path)


def test_nothing_unfinished_and_no_place_of_one_machine_in_the_tree() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b|/(?:home|root|work|Users)/\w")
    told = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True)
    if told.returncode:
        pytest.skip("not a git checkout: which files are the project's is not known")
    texts = [PROJECT / name for name in told.stdout.splitlines() if not name.endswith((".lock", "LICENSE", ".png"))]
    found = [_name(path) for path in texts if path.is_file() and words.search(path.read_text("utf-8", "ignore"))]

    assert [name for name in found if name != _name(Path(__file__))] == []
