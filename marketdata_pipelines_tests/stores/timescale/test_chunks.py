"""How wide chunks are, and which a window needs."""

from datetime import date

import pytest

from marketdata_pipelines.stores.timescale.chunks import Chunk, fitting_days, missing_chunks
from marketdata_pipelines.stores.timescale.rollups import Window

DAY = Window(date(2024, 7, 2), date(2024, 7, 3))
MONTH = Window(date(2024, 7, 1), date(2024, 8, 1))
YEAR = Window(date(2024, 1, 1), date(2025, 1, 1))


@pytest.mark.parametrize(
    ("rows", "sessions", "window", "days"),
    [
        (195_000, 1, DAY, 1),
        (100_000, 1, DAY, 1),
        (50_000, 1, DAY, 20),
        (390, 1, DAY, 366),
        (3_000_000, 22, MONTH, 1),
        (77_000, 22, MONTH, 366),
        (310_000, 22, MONTH, 100),
        (126_000, 252, YEAR, 366),
    ],
)
def test_a_large_session_has_a_chunk_and_small_ones_share_a_million_rows(
    rows: int, sessions: int, window: Window, days: int
) -> None:
    assert fitting_days(rows, sessions, window) == days


def test_chunks_are_counted_from_1970_so_that_every_process_makes_the_same() -> None:
    chunks = missing_chunks(20, MONTH, set())

    assert chunks == [date(2024, 6, 26), date(2024, 7, 16)]
    assert missing_chunks(20, MONTH, {date(2024, 6, 26)}) == [date(2024, 7, 16)]
    assert missing_chunks(1, DAY, set()) == [date(2024, 7, 2)]


def test_a_chunk_lies_in_a_window_or_only_touches_it() -> None:
    chunk = Chunk("s", "c", date(2024, 6, 26), date(2024, 7, 16), is_compressed=False)

    assert chunk.touches(MONTH)
    assert not chunk.lies_in(MONTH)
    assert chunk.lies_in(YEAR)
    assert not chunk.touches(Window(date(2024, 7, 16), date(2024, 7, 17)))
