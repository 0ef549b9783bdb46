"""What is proposed for which fault, from the raw rows and the findings a lake holds."""

from collections.abc import Mapping
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.repairs.records import PROPOSED_REPAIR_SCHEMA, Repair, proposal_table
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion, named_repairs, propose_repairs
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import bar, day, make_feed, source_of, take_in
from marketdata_pipelines_tests.repair_lakes import DAY, OPEN_US, apply_all, changed, find, load, walking_prices

CLEAN = walking_prices("A")
AT = 100
TS = OPEN_US + AT * MINUTE_US
PRICES = ("open", "high", "low", "close")


@pytest.fixture
def feed() -> Feed:
    return make_feed()


def proposed(lake: Lake, feed: Feed, **question: Any) -> list[Repair]:
    return list(propose_repairs(lake, feed, RepairQuestion(**question)))


def one_proposed(lake: Lake, feed: Feed, change: Mapping[str, Any], rule: str | None = None) -> Repair:
    """The proposal for a lake in which one bar was changed, which a rule found where one is named."""
    load(lake, feed, changed(CLEAN, {AT: change}))
    if rule is not None:
        find(lake, feed, {"rule": rule, "symbol": "A", "ts": TS})
    (repair,) = proposed(lake, feed)
    return repair


def values(repair: Repair) -> dict[str, Any]:
    (row,) = repair.rows.to_pylist()
    return row


def test_swapped_high_and_low_name_the_row_and_what_it_said(lake: Lake, feed: Feed) -> None:
    repair = one_proposed(lake, feed, {"high": CLEAN[AT]["low"], "low": CLEAN[AT]["high"]})

    row = values(repair)
    assert (repair.kind, repair.rule, repair.symbols, repair.session) == (
        "high_low_swapped",
        "high_below_low",
        ("A",),
        day(DAY),
    )
    assert (row["high"], row["low"], row["file"], row["row"], row["line"]) == (
        CLEAN[AT]["high"],
        CLEAN[AT]["low"],
        "bars.csv",
        AT + 1,
        AT + 2,
    )
    assert row["was"].startswith(f"2024-03-08T16:10:00Z open {CLEAN[AT]['open']:.10g} high {CLEAN[AT]['low']:.10g}")
    assert repair.confidence > 0.95


@pytest.mark.parametrize("factor", [0.01, 0.1, 10, 100, 1000])
def test_a_price_of_another_scale_is_put_right_to_the_last_digit(lake: Lake, feed: Feed, factor: float) -> None:
    scaled = {name: float(f"{CLEAN[AT][name] * factor:.12g}") for name in PRICES}

    repair = one_proposed(lake, feed, scaled, "price_spike")

    assert (repair.kind, repair.confidence > 0.95) == ("price_scale", True)
    assert [values(repair)[name] for name in PRICES] == [CLEAN[AT][name] for name in PRICES]


def test_a_high_alone_of_another_scale_is_no_wick_to_clip(lake: Lake, feed: Feed) -> None:
    repair = one_proposed(lake, feed, {"high": CLEAN[AT]["high"] * 10}, "bad_wick")

    assert (repair.kind, values(repair)["high"]) == ("price_scale", CLEAN[AT]["high"])


def test_a_clipped_wick_is_half_a_guess_and_uses_a_price_the_neighbours_had(lake: Lake, feed: Feed) -> None:
    repair = one_proposed(lake, feed, {"high": round(CLEAN[AT]["high"] * 1.35, 2)}, "bad_wick")

    near = [CLEAN[at]["high"] for at in (AT - 2, AT - 1, AT + 1, AT + 2)]
    assert (repair.kind, 0.4 < repair.confidence <= 0.5) == ("wick_clipped", True)
    assert values(repair)["high"] in [*near, max(CLEAN[AT]["open"], CLEAN[AT]["close"])]


def test_a_spike_of_no_scale_is_dropped_less_surely_where_it_traded_much(lake: Lake, feed: Feed) -> None:
    repair = one_proposed(
        lake, feed, {**dict.fromkeys(PRICES, 151.0), "volume": CLEAN[AT]["volume"] * 100}, "price_spike"
    )

    assert (repair.kind, repair.replaces, repair.rows.num_rows) == ("bar_dropped", True, 0)
    assert repair.confidence < 0.2


def test_a_negative_volume_loses_its_sign_or_is_a_counter_that_went_over(lake: Lake, feed: Feed) -> None:
    huge = [row | {"volume": 2.9e9 + at * 1e6} for at, row in enumerate(CLEAN)]
    load(lake, feed, changed(huge, {AT: {"volume": huge[AT]["volume"] - 2.0**32}}))

    (repair,) = proposed(lake, feed)

    assert (repair.kind, values(repair)["volume"]) == ("volume_mended", huge[AT]["volume"])


def test_an_impossible_volume_becomes_unknown_and_the_prices_stay(lake: Lake, feed: Feed) -> None:
    repair = one_proposed(lake, feed, {"volume": 9.2e18})

    assert (repair.kind, values(repair)["volume"], values(repair)["close"]) == (
        "field_unknown",
        None,
        CLEAN[AT]["close"],
    )


def test_a_missing_price_is_taken_from_the_others_only_where_they_leave_no_choice(lake: Lake, feed: Feed) -> None:
    price = CLEAN[AT]["close"]
    flat = {**dict.fromkeys(PRICES, price), "open": 0.0}
    load(lake, feed, changed(CLEAN, {AT: flat, 200: {"low": 0.0}}))

    (repair,) = proposed(lake, feed)

    assert (repair.kind, repair.first_us, values(repair)["open"]) == ("price_missing", TS, price)


def test_the_other_of_two_rows_is_proposed_only_where_it_fits_better(lake: Lake, feed: Feed) -> None:
    off = CLEAN[AT] | {name: round(CLEAN[AT][name] * 1.02, 2) for name in PRICES}
    load(lake, feed, [*CLEAN[:AT], off, *CLEAN[AT:], CLEAN[200] | {"close": CLEAN[200]["close"], "volume": 1.0}])

    (repair,) = proposed(lake, feed)

    assert (repair.kind, repair.first_us, repair.confidence > 0.9) == ("duplicate_chosen", TS, True)
    assert [values(repair)[name] for name in PRICES] == [CLEAN[AT][name] for name in PRICES]


def test_a_displaced_session_is_moved_back_with_its_rejected_rows(lake: Lake, feed: Feed) -> None:
    moved = [row | {"ts": row["ts"] + 4 * HOUR_US} for row in CLEAN]
    load(lake, feed, [*moved, *walking_prices("B", 2)])
    find(lake, feed, {"rule": "time_shift", "symbol": "A", "ts": moved[0]["ts"], "ts_last": moved[-1]["ts"]})

    (repair,) = proposed(lake, feed)

    assert (repair.kind, repair.count, repair.symbols, repair.replaces) == ("time_shifted", 390, ("A",), True)
    assert repair.evidence.startswith("-4:00 h: 100% of 390 bars lie in the session then and fill the session")


def test_a_file_labelled_by_the_end_is_moved_and_the_setting_is_named(lake: Lake, feed: Feed) -> None:
    load(lake, feed, [row | {"ts": row["ts"] + MINUTE_US} for row in [*CLEAN, *walking_prices("B", 2)]])
    find(lake, feed, {"rule": "label_shift"})

    (repair,) = proposed(lake, feed)

    assert (repair.kind, repair.count, repair.symbols) == ("label_shifted", 780, ("A", "B"))
    assert repair.evidence.endswith("set source.label: end in feeds.yaml")
    assert apply_all(lake, feed)[0].rows == 780


def test_of_a_file_in_which_few_symbols_are_labelled_otherwise_only_these_are_moved(lake: Lake, feed: Feed) -> None:
    late = [row | {"ts": row["ts"] + MINUTE_US} for row in CLEAN]
    load(lake, feed, [*late, *walking_prices("B", 2), *walking_prices("C", 3)])
    find(lake, feed, {"rule": "label_shift", "symbol": "A", "ts": late[0]["ts"], "ts_last": late[-1]["ts"]})

    (repair,) = proposed(lake, feed)

    assert (repair.kind, repair.count, repair.symbols) == ("label_shifted", 390, ("A",))


def test_a_bar_that_came_right_from_elsewhere_and_one_that_stands_no_more_need_no_repair(
    lake: Lake, feed: Feed
) -> None:
    swapped = changed(CLEAN, {AT: {"high": CLEAN[AT]["low"], "low": CLEAN[AT]["high"]}})
    load(lake, feed, swapped, source_of("again.csv", [CLEAN[AT]]))
    find(lake, feed, {"rule": "price_spike", "symbol": "A", "ts": TS, "standing": False})

    assert proposed(lake, feed) == []


def test_good_bars_that_a_rule_found_are_not_repaired(lake: Lake, feed: Feed) -> None:
    load(lake, feed, CLEAN)
    find(
        lake, feed, *[{"rule": rule, "symbol": "A", "ts": TS} for rule in ("price_spike", "bad_wick", "return_outlier")]
    )

    assert proposed(lake, feed) == []


def test_rows_of_a_session_that_are_as_sure_are_one_proposal(lake: Lake, feed: Feed) -> None:
    broken = {at: {"volume": -CLEAN[at]["volume"]} for at in (60, 61, 62)}
    load(lake, feed, changed(CLEAN, broken))

    (repair,) = [each for each in proposed(lake, feed) if each.confidence > 0.5]

    assert (repair.count, repair.first_us, repair.last_us) == (3, OPEN_US + 60 * MINUTE_US, OPEN_US + 62 * MINUTE_US)


def test_a_question_narrows_by_symbol_rule_and_date(lake: Lake, feed: Feed) -> None:
    load(lake, feed, changed(CLEAN, {AT: {"open": -CLEAN[AT]["open"]}}))

    assert len(proposed(lake, feed, symbols=("A",), rule="price_not_positive", start=day(DAY), end=day(DAY))) == 1
    assert proposed(lake, feed, symbols=("B",)) == []
    assert proposed(lake, feed, rule="high_below_low") == []
    assert proposed(lake, feed, end=day("2024-03-07")) == []


def test_a_partition_that_was_not_walked_yet_is_judged_by_its_raw_rows(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("bars.csv", changed(CLEAN, {AT: {"open": -CLEAN[AT]["open"]}})))

    assert [repair.kind for repair in proposed(lake, feed)] == ["price_sign"]


def test_an_id_is_the_same_whenever_it_is_proposed_and_finds_its_proposal(lake: Lake, feed: Feed) -> None:
    load(lake, feed, changed(CLEAN, {AT: {"open": -CLEAN[AT]["open"]}}))
    (first,), (again,) = proposed(lake, feed), proposed(lake, feed)

    (named,) = named_repairs(lake, feed, [first.id])

    assert first.id == again.id == named.id
    assert first.id.startswith(f"{DAY}-")
    with pytest.raises(
        StoreError, match="no repair 2024-03-08-11111111 of feed is proposed; see them: marketdata repair"
    ):
        named_repairs(lake, feed, ["2024-03-08-11111111"])


def test_a_jump_that_looks_like_a_split_is_advice_and_changes_no_bars(lake: Lake) -> None:
    feed = make_feed(interval="1d")
    days = [f"2014-06-{number:02}" for number in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13)]
    prices = [637.0, 638.5, 641.0, 644.0, 645.6, 92.7, 93.7, 94.25, 93.9, 92.3]
    rows = [
        bar("AAPL", f"{text} 00:00", price, volume=1e7 if price > 200 else 7e7)
        for text, price in zip(days, prices, strict=True)
    ]
    load(lake, feed, rows)
    jump = {"rule": "split_like_jump", "symbol": "AAPL", "session_date": day("2014-06-09"), "ts": rows[5]["ts"]}
    find(lake, feed, jump, key="2014-01-01")

    (repair,) = proposed(lake, feed)

    assert repair.evidence.startswith("looks like a 7:1 split on 2014-06-09")
    assert repair.advice is not None
    assert "add the row AAPL,2014-06-09,split,7:1" in repair.advice
    assert proposal_table([repair])["can_apply"].to_pylist() == [False]
    assert [report.status.name for report in apply_all(lake, feed)] == ["ADVICE"]


def test_proposals_come_as_a_table_the_surest_first(lake: Lake, feed: Feed) -> None:
    broken = {AT: {"open": -CLEAN[AT]["open"]}, 200: {"volume": -CLEAN[200]["volume"] * 400}}
    load(lake, feed, changed(CLEAN, broken))

    table = proposal_table(proposed(lake, feed))

    assert table.schema == PROPOSED_REPAIR_SCHEMA
    assert table["confidence"].to_pylist() == sorted(table["confidence"].to_pylist(), reverse=True)
