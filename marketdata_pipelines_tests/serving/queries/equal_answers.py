"""When two stores' answers are the same: to the bit, but for sums, which are added up in another order."""

import numpy as np
import pyarrow as pa

SUMS = ("volume", "notional", "vwap", "return")


def same(found: pa.Table, expected: pa.Table) -> None:
    """Equal in schema and rows; sums but for the last digits."""
    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    assert found.num_rows == expected.num_rows
    for name in expected.column_names:
        ours, theirs = found[name], expected[name]
        if name in SUMS:
            assert ours.is_null().equals(theirs.is_null()), name
            ours, theirs = (column.drop_null().to_numpy() for column in (ours, theirs))
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=0, err_msg=name)
        else:
            assert ours.to_pylist() == theirs.to_pylist(), name
