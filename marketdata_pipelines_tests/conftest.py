"""Fixtures of the whole suite: folders and data that tests need; rows and feeds come from `builders`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_home

# Kernels are compiled on first use, and the machine may be busy: no example has a deadline.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data beside the project; tests that need it are skipped where it is not."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real market data in {folder}, which is not here")
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "data" / "lake")


@pytest.fixture
def home(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the data folder of this test with a feeds.yaml; its lake is the one of the fixture `lake`."""

    return lambda feeds: make_home(tmp_path / "data", feeds)
