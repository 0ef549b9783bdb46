"""Arrow columns over numpy arrays are those that pyarrow makes, and nothing imports pandas for them."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.stores.timescale import columns

CODE = """
import sys
import numpy as np, pyarrow as pa
from marketdata_pipelines.stores.timescale.columns import flags, known, plain, same, texts
ones = np.ones(3)
arrays = [plain(ones, pa.float64()), flags(ones > 0), known(ones, pa.float64(), ones > 0), same("5m", 3)]
arrays += [texts(np.array([1, 0, 1], np.int32), ["A", "B"])]
pa.Table.from_arrays(arrays, names=list("abcde"))
sys.exit("pandas" in sys.modules)
"""


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_columns_are_what_pyarrow_makes_of_the_same_arrays(count: int) -> None:
    generator = np.random.default_rng(count)
    numbers, whole = generator.normal(size=count), generator.integers(-(2**62), 2**62, count)
    mask = generator.random(count) < 0.3
    codes = generator.integers(0, 3, count).astype(np.int32)
    names = ["A", "Ω.BID", ""]

    made = [
        (columns.plain(whole, TS), pa.array(whole).view(TS)),
        (columns.plain(numbers[::-1], pa.float64()), pa.array(numbers[::-1])),
        (columns.flags(mask), pa.array(mask)),
        (columns.known(numbers, pa.float64(), mask), pa.array(numbers, mask=mask)),
        (columns.known(whole, pa.int64(), mask & False), pa.array(whole)),
        (columns.texts(codes, names), pa.array([names[code] for code in codes], pa.string())),
        (columns.same("5m", count), pa.array(["5m"] * count, pa.string())),
    ]

    for ours, theirs in made:
        ours.validate(full=True)
        assert ours.equals(theirs)
        assert ours.null_count == theirs.null_count


def test_no_names_are_no_rows() -> None:
    assert columns.texts(np.zeros(0, np.int32), []).equals(pa.array([], pa.string()))


def test_pandas_is_not_imported_for_them() -> None:
    assert subprocess.run([sys.executable, "-c", CODE], check=False).returncode == 0
