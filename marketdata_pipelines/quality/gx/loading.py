"""Imports Great Expectations the way this project wants it: once, without its warnings, and without reporting home."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

_MODULES = (
    "great_expectations",
    "great_expectations.expectations.core",
    "great_expectations.render.renderer",
    "great_expectations.render.view",
    "marketdata_pipelines.quality.gx.rule_expectations",
)


@cache
def load_great_expectations() -> None:
    """Import Great Expectations and the project's expectations; it takes seconds, the first time.

    What it warns about on import (modules Python deprecated) its users cannot mend. Its usage statistics are turned
    off unless the environment turns them on.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    registry = logging.getLogger("great_expectations.expectations.registry")
    level = registry.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A class that words a rule in its own way is told of as overwriting another's.
        registry.setLevel(logging.ERROR)
        for name in _MODULES:
            import_module(name)
    registry.setLevel(level)


@contextmanager
def quietly() -> Iterator[None]:
    """Without Great Expectations' warnings about its own next version: a form it still takes is no fault here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
