"""Runs the command line as a user does, in a process of its own or (for quick reads) in this one."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest

from marketdata_pipelines.cli.main import main

SHARED = Path(__file__).parents[3] / "shared" / "data"


def shared_data() -> Path:
    """The folder of shared market data beside the project; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared market data is not beside the project ({SHARED.name} is missing)")
    return SHARED


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `marketdata` in a process of its own on a data folder."""
    environment = {**os.environ, "MARKETDATA_HOME": str(home)}
    command = [sys.executable, "-m", "marketdata_pipelines.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def read_csv(home: Path, *arguments: str) -> pd.DataFrame:
    """Run a reading command in this process and parse the CSV it prints."""
    target = home / "answer.csv"
    environment = {**os.environ, "MARKETDATA_HOME": str(home)}
    command = ["marketdata", *arguments, "--format", "csv", "--out", str(target)]
    quiet = redirect_stdout(io.StringIO())
    with (
        patch.dict(os.environ, environment),
        patch.object(sys, "argv", command),
        quiet,
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert ended.value.code in (0, None), f"{command} ended with {ended.value.code}"
    return pd.read_csv(target, keep_default_na=False, na_values=[""])
