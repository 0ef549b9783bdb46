"""How long values are kept in Redis, as people write it."""

import pytest

from marketdata_pipelines.settings.redis_keep import RedisTtl, read_ttl

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("7d", RedisTtl(7 * DAY, {})),
        (" 90m ", RedisTtl(5_400, {})),
        ("7d, bars_5m=2d, latest_bars = 12h,", RedisTtl(7 * DAY, {"bars_5m": 2 * DAY, "latest_bars": 43_200})),
        ("bars_1mo=366d,1m", RedisTtl(60, {"bars_1mo": 366 * DAY})),
    ],
)
def test_a_time_for_all_tables_and_others_by_table_are_read(text: str, read: RedisTtl) -> None:
    assert read_ttl(text) == read


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "give one time for all tables"),
        ("bars_5m=2d", "give one time for all tables"),
        ("7d, 8d", "give one time for all tables"),
        ("7", "'7' is no time that values can be kept; give one from 1m to 366d"),
        ("0d", "is no time"),
        ("367d", "is no time"),
        ("-1d", "is no time"),
        ("7d, bars_5m=", "'' is no time"),
        ("7d, bars_7m=2d", "'bars_7m' is no table that is kept; there are: validated_bars, bars_1s"),
        ("7d, bars_5m=2d, bars_5m=3d", "bars_5m is named twice"),
        ("7d, =2d", "'' is no table"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_ttl(text)
