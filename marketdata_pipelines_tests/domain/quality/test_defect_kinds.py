"""Which rule names which kinds of defects."""

import json
from pathlib import Path

from marketdata_pipelines.domain.quality.defect_kinds import named_kinds, quality_kinds
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.rules import RULE_BY_ID, defect_kinds

STATISTICAL = {
    "price_spike_10x",
    "bad_print_wick",
    "stale_flat_run",
    "tz_shift",
    "split_unadjusted",
    "label_end_convention",
    "gap_missing_minutes",
}


def test_every_statistical_kind_is_named_by_a_quality_rule() -> None:
    named = {kind for kinds in quality_kinds().values() for kind in kinds}

    assert named >= STATISTICAL


def test_row_rules_and_quality_rules_share_no_id() -> None:
    assert not set(RULE_BY_ID) & set(QUALITY_RULE_BY_ID)
    assert named_kinds() == {**defect_kinds(), **quality_kinds()}
    assert len(named_kinds()) == len(defect_kinds()) + len(quality_kinds())


def test_the_published_kinds_are_those_of_both_lists() -> None:
    published = Path(__file__).parents[3] / "docs" / "defect_kinds.json"

    assert json.loads(published.read_text("utf-8")) == named_kinds()
