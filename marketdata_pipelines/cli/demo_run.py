"""The demo's work: its feeds, its ranges, and running them through the graph."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from marketdata_pipelines.cli.backfill_work import plan_backfill
from marketdata_pipelines.cli.consoles import notes, plain
from marketdata_pipelines.cli.materialize import materialize
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.errors import SettingsInvalid, SourceUnavailable
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.settings.environment import Settings

# (feed, first and last session date)
DEMO_RANGES = (
    ("us_stocks_1d", "2000-01-03", "2013-12-31"),
    ("demo_nyse_1m", "2024-07-01", "2024-07-05"),
    ("demo_crypto_1m", "2024-07-01", "2024-07-07"),
)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One feed of the demo, walked."""

    feed: Feed
    start: str
    end: str
    tally: Tally
    seconds: float


def prepare_home(settings: Settings) -> None:
    """Write the default feeds.yaml where there is none; one that is there stays as it is."""
    if settings.feeds_file.exists():
        return
    settings.folder.mkdir(parents=True, exist_ok=True)
    text = files("marketdata_pipelines.cli").joinpath("default_feeds.yaml").read_text("utf-8")
    settings.feeds_file.write_text(text, "utf-8")
    notes().print(plain(f"wrote {settings.feeds_file}", "dim"))


def run_demo(settings: Settings, reader: LakeReader) -> list[DemoResult]:
    """Backfill the demo's feeds; the real sample is left out, with a word, where its package is not installed.

    Errors: SettingsInvalid when feeds.yaml has none of the demo's feeds.
    """
    known = [entry for entry in DEMO_RANGES if entry[0] in reader.feeds]
    if not known:
        wanted = ", ".join(name for name, _, _ in DEMO_RANGES)
        raise SettingsInvalid(
            f"{settings.feeds_file} has none of the demo's feeds ({wanted}); "
            "run it in a folder of its own: MARKETDATA_HOME=demo marketdata demo"
        )
    return [_run(settings, reader.feed(name), start, end) for name, start, end in _available(reader, known)]


def _available(reader: LakeReader, entries: list[tuple[str, str, str]]) -> Iterable[tuple[str, str, str]]:
    for name, start, end in entries:
        if reader.feed(name).source.kind is SourceKind.SAMPLE:
            from marketdata_pipelines.sources.sample import sample_bytes

            try:
                sample_bytes()
            except SourceUnavailable as error:
                notes().print(plain(f"{name} is left out: {error}", "yellow"), soft_wrap=True)
                continue
        yield name, start, end


def _run(settings: Settings, feed: Feed, start: str, end: str) -> DemoResult:
    notes().print(plain(f"{feed.name}: {feed.description}", "dim"), soft_wrap=True)
    began = time.monotonic()
    planned = plan_backfill(feed, start, end, None)
    tally = materialize(settings, feed, planned.partitions, planned.assets)
    return DemoResult(feed, start, end, tally, time.monotonic() - began)
