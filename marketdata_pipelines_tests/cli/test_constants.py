"""Arrow scalars made from buffers."""

import pyarrow as pa

from marketdata_pipelines.cli.constants import text_scalar, zero_scalar


def test_scalars_equal_those_made_the_usual_way() -> None:
    assert text_scalar("é,") == pa.scalar("é,")
    assert text_scalar("") == pa.scalar("")
    assert zero_scalar(pa.float64()) == pa.scalar(0.0)
    assert zero_scalar(pa.bool_()) == pa.scalar(False)
