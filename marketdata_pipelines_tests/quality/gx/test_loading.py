"""Great Expectations is imported by who validates, and by nobody who only might."""

import subprocess
import sys
from pathlib import Path

import marketdata_pipelines

CODE = Path(marketdata_pipelines.__file__).parent
# These are imported by functions of the others, when a suite runs.
LEAVES = {"rule_expectations", "duckdb_dialect"}


def modules_of_quality() -> list[str]:
    paths = sorted((CODE / "quality").rglob("*.py"))
    named = [path for path in paths if path.stem not in {"__init__", *LEAVES}]
    return [".".join(("marketdata_pipelines", *path.relative_to(CODE).with_suffix("").parts)) for path in named]


def test_no_module_of_quality_imports_great_expectations_by_being_imported() -> None:
    names = modules_of_quality()
    program = f"import sys\nfor name in {names!r}: __import__(name)\n"
    program += "print([name for name in ('great_expectations', 'sqlalchemy', 'jinja2') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_loading_says_nothing_and_reports_nothing_home() -> None:
    program = (
        "import os\n"
        "from marketdata_pipelines.quality.gx.loading import load_great_expectations\n"
        "load_great_expectations()\n"
        "print(os.environ['GX_ANALYTICS_ENABLED'])"
    )

    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.stdout.strip(), done.stderr) == ("false", "")
