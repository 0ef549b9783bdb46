"""Which partitions have been walked and not judged since, or judged beside others than are there now.

A run may be killed between the two; what judging is stays in `judging`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, partition_key, partition_span, period_of
from marketdata_pipelines.domain.quality.history import WINDOW
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, QUALITY_VERDICTS, SYMBOL_PROFILES, Level
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Calendar
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake.lake import Lake, digest

# Days that hold the sessions of any market that a session is judged beside.
LOOK_BACK_DAYS = 25


def judged_inputs(versions: Versions, own: Sequence[str], read: Sequence[tuple[str, str]], said: Iterable[str]) -> str:
    """What a partition's scores are made of: its own profiles and verdicts and those before, and apart what was said.

    `said` is what the feed and its references say, which makes no walked partition late when it changes.
    """
    walked = versions.inputs([*own, *(f"{name}={inputs}" for name, inputs in read)])
    return f"{walked}.{digest(said)}"


def unjudged(lake: Lake, feed: Feed) -> list[str]:
    """The partitions of a feed that have been walked and not judged since, in order."""
    return sorted(unjudged_partitions(feed, lake.catalog.stored_inputs(feed.name), Versions(feed)))


def unjudged_partitions(feed: Feed, stored: Mapping[tuple[str, str], str], versions: Versions) -> set[str]:
    """The partitions whose scores are not made of what is stored of their walk now; `stored`: inputs by table, key."""
    if feed.quality.level is Level.NONE:
        return set()
    period, calendar = period_of(feed.partition), feed_calendar(feed)
    profiles = {key: inputs for (name, key), inputs in stored.items() if name == SYMBOL_PROFILES}
    verdicts = {key: inputs for (name, key), inputs in stored.items() if name == QUALITY_VERDICTS}
    walked = [key for key in sorted({*profiles, *verdicts}) if is_partition_key(key, period)]
    ordered = sorted(profiles)
    found, begins = set(), 0
    for key in walked:
        first = partition_key(first_session_before(calendar, partition_span(key, period)[0]), period)
        while begins < len(ordered) and ordered[begins] < first:
            begins += 1
        read = []
        for name in ordered[begins:]:
            if name >= key:
                break
            read.append((name, profiles[name]))
        own = [inputs[key] for inputs in (profiles, verdicts) if key in inputs]
        expected = judged_inputs(versions, own, read, ())
        scores = stored.get((QUALITY_SCORES, key), "")
        if scores.partition(".")[0] != expected.partition(".")[0]:
            found.add(key)
    return found


def first_session_before(calendar: Calendar, start: date) -> date:
    """The date of the earliest session that is read for one that begins on `start`; that day where none is before."""
    before = calendar.sessions(start - timedelta(days=LOOK_BACK_DAYS), start - timedelta(days=1))
    return before[-WINDOW:][0].date if before else start
