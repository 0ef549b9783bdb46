"""Arrow arrays as this folder passes them: the type's name for annotations, and crossing to numpy."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    Column = pa.Array[Any]
    Chunked = pa.ChunkedArray[Any]
else:
    # Generic for the type checker only.
    Column, Chunked = pa.Array, pa.ChunkedArray

# The stubs of the compute functions refuse most of what they take.
pc: Any = pyarrow.compute


def one_array(column: Chunked) -> Column:
    """A column's chunks as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    combined: Any = column.combine_chunks()
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
