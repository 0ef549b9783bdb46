"""Arrow arrays as this folder passes them: the type's name for annotations, and crossing to numpy."""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Column: TypeAlias = pa.Array


def one_array(column: pa.ChunkedArray) -> Column:
    """A column's chunks as one array."""
    combined = column.combine_chunks()
    found: Column = combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined
    return found


def take_rows(column: Column, indices: np.ndarray) -> Column:
    """The entries at these positions, in their order."""
    found: Column = pc.take(column, pa.array(indices))
    return found


def to_flags(column: Column) -> np.ndarray:
    """A boolean column as numpy, null as false."""
    found: np.ndarray = column.fill_null(False).to_numpy(zero_copy_only=False)
    return found


def is_null(column: Column) -> np.ndarray:
    """Which entries are null."""
    if not column.null_count:
        return np.zeros(len(column), bool)
    found: np.ndarray = column.is_null().to_numpy(zero_copy_only=False)
    return found
