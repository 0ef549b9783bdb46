"""The suites of the tables that are not bars: rejected rows, views, and symbol-sessions with their scores.

`suite_of` finds the suite of any table of a feed.
"""

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.records import SCORE_SCHEMA, Dimension, Level, Severity
from marketdata_pipelines.domain.quality.rules import QualityRule, Scope
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.domain.rules import RULE_BY_ID
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.quality.suites import conditions as c
from marketdata_pipelines.quality.suites.bar_suites import aggregate_suite, table_rules, validated_suite
from marketdata_pipelines.quality.suites.columns import duckdb_columns
from marketdata_pipelines.quality.suites.records import SuiteRule, TableSuite

SYMBOL_SESSIONS = "symbol_sessions"
VIEW_KEYS = {
    t.DAILY_SUMMARY: ("symbol", "bucket"),
    t.SYMBOL_PERFORMANCE: ("symbol",),
    t.TOP_VOLUME: ("session_date", "rank"),
    t.HOURLY_VOLUME: ("symbol", "session_date", "hour"),
    t.LATEST_BARS: ("symbol",),
}
_KEY_TYPES = {
    "symbol": "VARCHAR",
    "bucket": "TIMESTAMP WITH TIME ZONE",
    "session_date": "DATE",
    "rank": "BIGINT",
    "hour": "BIGINT",
}
# Rules of this origin are conditions here; all others are measured elsewhere, and counted by symbol and session.
_OWN = "suites"

REASON_GIVEN = QualityRule(
    "reason_given", Dimension.VALIDITY, Severity.BLOCK, Level.BASIC, Scope.BAR,
    "Every rejected row says why.", "rules is not null and not empty", "suites",
)  # fmt: skip
REASON_KNOWN = QualityRule(
    "reason_known", Dimension.VALIDITY, Severity.BLOCK, Level.BASIC, Scope.BAR,
    "Every reason is the id of a row rule.", "each of the `;`-separated rules is a row rule", "suites",
)  # fmt: skip
SCORE_BOUNDED = QualityRule(
    "score_bounded", Dimension.VALIDITY, Severity.BLOCK, Level.BASIC, Scope.SYMBOL_SESSION,
    "Scores are from 0 to 100.", "0 <= score <= 100, and so each dimension's", "suites",
)  # fmt: skip


def suite_of(feed: Feed, table: str) -> TableSuite:
    """The suite of a table of a feed.

    Errors: SettingsInvalid naming the tables that have one.
    """
    if table == t.VALIDATED_BARS:
        return validated_suite(feed)
    if table == t.REJECTED_BARS:
        return rejected_suite(feed)
    if table in VIEW_KEYS:
        return view_suite(feed, table)
    if table == SYMBOL_SESSIONS:
        return symbol_sessions_suite(feed)
    aggregates = [name for each in t.feed_tables(feed) for name in each.tables if name.startswith("bars_")]
    if table in aggregates:
        return aggregate_suite(feed, table)
    known = ", ".join([t.VALIDATED_BARS, t.REJECTED_BARS, *VIEW_KEYS, SYMBOL_SESSIONS, *aggregates])
    raise SettingsInvalid(f"{feed.name} has no suite for {table!r}; use one of: {known}")


def rejected_suite(feed: Feed) -> TableSuite:
    """The suite of `rejected_bars`."""
    known = ", ".join(f"'{rule}'" for rule in RULE_BY_ID)
    unknown = f"not list_has_all([{known}], string_split(rules, ';'))"
    active = table_rules(active_rules(feed.quality))
    own = (
        SuiteRule(REASON_GIVEN, "rules is null or rules = ''", ("rules",)),
        SuiteRule(REASON_KNOWN, unknown, ("rules",)),
    )
    rules = (*active, *own) if active else ()
    columns = duckdb_columns(REJECTED_SCHEMA)
    name = f"{feed.name}.{t.REJECTED_BARS}"
    return TableSuite(
        name, t.REJECTED_BARS, rules, columns, (), ("file", "line", "symbol", "ts", "rules"), may_be_empty=True
    )


def view_suite(feed: Feed, view: str) -> TableSuite:
    """The suite of a view: its key is there and occurs once."""
    keys = VIEW_KEYS[view]
    active = active_rules(feed.quality)
    texts = tuple(key for key in keys if key == "symbol")
    others = tuple(key for key in keys if key != "symbol")
    found = {"key_present": c.missing_keys(texts, others), "key_unique": c.not_increasing(keys)}
    rules = [SuiteRule(active[name], sql, keys) for name, sql in found.items() if name in active]
    columns = tuple((key, _KEY_TYPES[key]) for key in keys)
    rules = [*table_rules(active), *rules]
    return TableSuite(f"{feed.name}.{view}", view, tuple(rules), columns, keys, exact=False, may_be_empty=True)


def symbol_sessions_suite(feed: Feed) -> TableSuite:
    """The suite of symbol-sessions (see `symbol_sessions.symbol_sessions`): scores in bounds, and a rule's count is 0.

    Rules about two feeds, or about whole partitions, count where the symbol is null: the session as a whole.
    """
    active = active_rules(feed.quality)
    judged = [rule for rule in active.values() if rule.origin != _OWN]
    rules = [SuiteRule(rule, f'"{rule.id}" > 0', (rule.id,)) for rule in judged]
    whole = table_rules(active)
    dimensions = (*[str(dimension) for dimension in Dimension], "score")
    bounded = " or ".join(f"{name} is not null and not ({name} >= 0 and {name} <= 100)" for name in dimensions)
    if whole:
        rules.append(SuiteRule(SCORE_BOUNDED, f"score is null or {bounded}", dimensions))
    columns = (*duckdb_columns(SCORE_SCHEMA), *((rule.id, "BIGINT") for rule in judged))
    shown = ("symbol", "session_date", "score", "grade")
    return TableSuite(f"{feed.name}.{SYMBOL_SESSIONS}", SYMBOL_SESSIONS, (*whole, *rules), columns, (), shown)
