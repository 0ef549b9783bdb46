"""Every row rule counts against one dimension, but for rows that others took the place of."""

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.domain.quality.rule_dimensions import NO_FAULT, ROW_DIMENSION
from marketdata_pipelines.domain.rules import ROW_RULES


def test_every_row_rule_has_a_dimension_or_is_no_fault() -> None:
    assert set(ROW_DIMENSION) | set(NO_FAULT) == set(ROW_RULES)
    assert not set(ROW_DIMENSION) & set(NO_FAULT)


def test_rules_count_where_their_field_would_look_for_them() -> None:
    assert ROW_DIMENSION["duplicate_conflict"] is Dimension.UNIQUENESS
    assert ROW_DIMENSION["high_below_low"] is Dimension.CONSISTENCY
    assert ROW_DIMENSION["future"] is Dimension.TIMELINESS
    assert ROW_DIMENSION["price_not_positive"] is Dimension.VALIDITY
