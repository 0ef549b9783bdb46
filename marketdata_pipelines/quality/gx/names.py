"""Names that the parts of the Great Expectations layer meet by; importing it costs nothing."""

# Views of a validation's own connection: the rows with the columns conditions need, and the table's rows alone.
BATCH_VIEW, ROWS_VIEW = "marketdata_batch", "marketdata_rows"
VIOLATIONS, COLUMN_TYPES = "marketdata.rule_violations", "marketdata.column_types"
# The parameter of a suite that says how many rows were written.
ROWS_EXPECTED = "rows_expected"
