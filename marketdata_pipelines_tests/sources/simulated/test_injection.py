"""Days with faults: every fault is where its label says, everything else is clean."""

from dataclasses import replace
from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.rules import defect_kinds, mask_to_rules
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.domain.validation import bar_mask, resolve_duplicates, trade_mask
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.historical import SimulatedDay, historical
from marketdata_pipelines.sources.simulated.rates import ADDING_KINDS, FAULT_KINDS, GAP, fault_rates
from marketdata_pipelines_tests.sources.simulated.feeds import CME_BREAK, simulated_feed

FRIDAY = date(2024, 3, 8)
KNOWN_AT_US = 1_800_000_000_000_000
FEEDS = {
    "shares by the minute": simulated_feed(extended_hours=(time(4), time(20))),
    "shares by the second": simulated_feed(interval="1s"),
    "shares by five minutes with a break": simulated_feed("XTKS", "5m"),
    "shares by the hour": simulated_feed(interval="1h", symbols=(), symbol_count=20),
    "shares by the day": simulated_feed(interval="1d", symbols=(), symbol_count=60),
    "futures": simulated_feed("CMES", breaks=CME_BREAK),
    "coins": simulated_feed("24/7"),
    "currencies": simulated_feed("fx"),
    "trades": simulated_feed(data=DataKind.TRADES),
}


def possible_kinds(feed: Feed) -> list[str]:
    kinds = []
    for kind in FAULT_KINDS:
        try:
            fault_rates(replace(feed, source=replace(feed.source, faults=((kind, 2),))))
        except SettingsInvalid:
            continue
        kinds.append(kind)
    return kinds


def with_faults(feed: Feed, *faults: tuple[str, float]) -> SimulatedDay:
    (day,) = historical(replace(feed, source=replace(feed.source, faults=faults)), FRIDAY, FRIDAY)
    return day


def rules_found(feed: Feed, table: pa.Table) -> dict[int, str]:
    grid = feed_grid(feed, FRIDAY, FRIDAY)
    if feed.data is DataKind.TRADES:
        mask, _ = trade_mask(table, feed, grid, KNOWN_AT_US)
    else:
        mask, _ = bar_mask(table, feed, grid, KNOWN_AT_US)
        mask = resolve_duplicates(table, mask, np.zeros(len(mask), np.int64)).mask
    return {position + 1: mask_to_rules(int(bits)) for position, bits in enumerate(mask) if bits}


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_validation_finds_and_names_every_fault_and_nothing_else(feed: Feed) -> None:
    kinds = possible_kinds(feed)

    day = with_faults(feed, *((kind, 2.0) for kind in kinds))

    labelled = {fault.row: fault.kind for fault in day.faults if fault.kind != GAP}
    found = rules_found(feed, day.table)
    assert sorted(labelled.values()) == sorted([kind for kind in kinds if kind != GAP] * 2)
    assert found.keys() == labelled.keys()
    named = defect_kinds()
    for row, kind in labelled.items():
        assert kind in [name for rule in found[row].split(";") for name in named.get(rule, [])]


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_a_day_without_faults_breaks_no_rule(feed: Feed) -> None:
    assert rules_found(feed, with_faults(feed).table) == {}


@pytest.mark.parametrize("feed", [FEEDS["shares by the minute"], FEEDS["coins"]])
def test_rows_without_a_fault_are_the_clean_days_rows(feed: Feed) -> None:
    clean = with_faults(feed)
    day = with_faults(feed, *((kind, 3.0) for kind in possible_kinds(feed)))

    spoiled = {fault.row for fault in day.faults if fault.kind != GAP}
    kept = [row for row in day.table.to_pylist() if row["row"] not in spoiled]
    place = ("row", "line")
    before = [{name: value for name, value in row.items() if name not in place} for row in clean.table.to_pylist()]
    after = [{name: value for name, value in row.items() if name not in place} for row in kept]
    assert [row for row in before if row in after] == after
    assert len(before) - len(after) == sum(
        int(fault.original.split()[0]) if fault.kind == GAP else fault.kind not in ADDING_KINDS for fault in day.faults
    )


def test_an_added_row_follows_the_row_it_repeats() -> None:
    day = with_faults(FEEDS["shares by the minute"], ("dup_exact", 4))

    for fault in day.faults:
        first, second = day.table.slice(fault.row - 2, 2).drop_columns(["row", "line"]).to_pylist()
        assert first == second


def test_a_label_tells_the_true_time_and_symbol() -> None:
    feed = FEEDS["shares by the minute"]
    clean = {(row["symbol"], row["ts"]) for row in with_faults(feed).table.to_pylist()}
    day = with_faults(feed, *((kind, 2.0) for kind in possible_kinds(feed)))

    for fault in day.faults:
        assert ((fault.symbol, fault.ts) in clean) == (fault.kind != "out_of_session")


def test_a_gap_is_labelled_at_the_row_after_it() -> None:
    day = with_faults(FEEDS["shares by the minute"], (GAP, 1))

    (gap,) = day.faults
    after = day.table.slice(gap.row - 1, 1).to_pylist()[0]
    first, _, last = gap.injected.partition("..")
    assert after["symbol"] == gap.symbol
    assert f"{gap.ts:%Y-%m-%dT%H:%M:%SZ}" == first <= last < f"{after['ts']:%Y-%m-%dT%H:%M:%SZ}"
    removed = [
        row for row in day.table.to_pylist() if row["symbol"] == gap.symbol and gap.ts <= row["ts"] < after["ts"]
    ]
    assert removed == []


def test_faults_of_a_day_repeat_with_its_seed() -> None:
    faults = (("zero_price", 0.01), ("dup_conflict", 3.0))
    feed = FEEDS["shares by the minute"]

    assert with_faults(feed, *faults).faults == with_faults(feed, *faults).faults
    other = replace(feed, source=replace(feed.source, seed=8))
    assert with_faults(feed, *faults).faults != with_faults(other, *faults).faults
