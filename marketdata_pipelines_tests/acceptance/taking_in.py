"""Takes files into a data folder of their own and judges them, without Dagster: quick enough for many folders."""

from collections.abc import Iterable
from pathlib import Path

import marketdata_pipelines as md
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, raw_asset
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.pipeline.walk import walk_partitions
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.builders import LATER, make_home, take_in


def judged(home: Path, name: str, definition: str, files: Iterable[str]) -> LakeReader:
    """A reader of a data folder whose one feed has taken in these files; all known at one instant."""
    reader = md.open(make_home(home, f"feeds:\n  {name}: {definition}\n"))
    feed = reader.feed(name)
    reports = take_in(reader.lake, feed, *(file_source(feed, path) for path in files))
    keys = sorted({key for report in reports for key in report.partitions})
    wanted = frozenset({raw_asset(feed), VALIDATED_BARS, REJECTED_BARS})
    for _ in walk_partitions(reader.lake, feed, period_of(feed.partition), keys, wanted, run_id="run"):
        pass
    if keys:
        PartitionJudge(reader.lake, feed).judge(keys, at_us=LATER)
    return reader
