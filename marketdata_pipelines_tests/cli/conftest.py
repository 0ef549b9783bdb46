"""The command line run in this process, and a data folder that was loaded through it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from marketdata_pipelines.cli.main import main

FEEDS = """
feeds:
  shares:
    source: {kind: files, timezone: America/New_York}
    asset_class: equity
    interval: 1m
    calendar: XNYS
  made_up:
    source: {kind: simulated, symbols: [ALFA], seed: 3}
    interval: 1m
    calendar: XNYS
    start: 2024-03-04
"""
HEADER = "symbol,timestamp,open,high,low,close,volume\n"
# Friday 2024-03-08, winter time: 09:30 New York is 14:30 UTC. The third row has high below low.
GOOD_FILE = HEADER + (
    "SPY,2024-03-08 09:30:00,10.5,10.75,10.25,10.6,100\n"
    "SPY,2024-03-08 09:31:00,10.6,10.65,10.5,10.55,50\n"
    'SPY,2024-03-08 09:32:00,10.5,10.25,10.75,10.6,"70"\n'
    "SPY,2024-03-08 09:35:00,10.6,11,10.6,10.9,25\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def marketdata(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `marketdata` on a data folder: marketdata(home, "bars", "shares")."""

    def run(home: Path, *arguments: str) -> Answer:
        monkeypatch.setenv("MARKETDATA_HOME", str(home))
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        monkeypatch.setattr(sys, "argv", ["marketdata", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return Answer(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def empty_home(tmp_path: Path) -> Path:
    """A data folder with feeds and nothing stored."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def loaded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder into which GOOD_FILE was ingested and materialized; for reading only."""
    folder = tmp_path_factory.mktemp("loaded")
    (folder / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    source = folder / "SPY.csv"
    source.write_text(GOOD_FILE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETDATA_HOME", str(folder))
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setattr(sys, "argv", ["marketdata", "ingest", "shares", str(source), "--materialize", "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return folder
