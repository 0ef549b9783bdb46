"""Which dimension of quality each row rule is about; what the rules say is in `rules`."""

from collections.abc import Mapping

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.domain.rules import ROW_RULES

# Rows that other rows took the place of are no fault.
NO_FAULT = ("superseded", "deleted")
_OTHERS = {
    "duplicate_exact": Dimension.UNIQUENESS,
    "duplicate_conflict": Dimension.UNIQUENESS,
    "high_below_low": Dimension.CONSISTENCY,
    "price_outside_range": Dimension.CONSISTENCY,
    "vwap_outside_range": Dimension.CONSISTENCY,
    "future": Dimension.TIMELINESS,
    "unfinished": Dimension.TIMELINESS,
}

ROW_DIMENSION: Mapping[str, Dimension] = {
    rule: _OTHERS.get(rule, Dimension.VALIDITY) for rule in ROW_RULES if rule not in NO_FAULT
}
"""The dimension each row rule counts against, by rule id."""
