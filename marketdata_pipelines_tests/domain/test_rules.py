"""The list of rules."""

from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.rules import (
    ROW_RULES,
    RULE_BY_ID,
    RULES,
    defect_kinds,
    mask_to_rules,
    rule_bit,
    rules_to_mask,
)


def test_every_id_is_there_once() -> None:
    assert len(RULE_BY_ID) == len(RULES)


def test_row_rules_fit_a_signed_64_bit_mask() -> None:
    assert len(ROW_RULES) < 63
    assert len({rule_bit(rule_id) for rule_id in ROW_RULES}) == len(ROW_RULES)


@given(st.sets(st.sampled_from(ROW_RULES)))
def test_masks_and_ids_are_the_same_thing(ids: set[str]) -> None:
    mask = sum(rule_bit(rule_id) for rule_id in ids)

    assert rules_to_mask(mask_to_rules(mask)) == mask
    assert set(mask_to_rules(mask).split(";")) - {""} == ids


def test_ids_of_a_mask_are_in_the_order_of_the_list() -> None:
    assert mask_to_rules(rule_bit("future") | rule_bit("high_below_low")) == "high_below_low;future"


def test_no_rules_are_mask_zero() -> None:
    assert rules_to_mask(None) == rules_to_mask("") == 0
    assert mask_to_rules(0) == ""


def test_texts_complete_the_sentence_rejected_because() -> None:
    assert all(rule.text and not rule.text.endswith(".") and rule.text[0].islower() for rule in RULES
               if rule.text.split()[0] not in ("UTF-8",))  # fmt: skip


def test_defect_kinds_name_known_rules() -> None:
    kinds = defect_kinds()

    assert set(kinds) <= set(RULE_BY_ID)
    assert kinds["high_below_low"] == ["high_lt_low", "swapped_columns"]
