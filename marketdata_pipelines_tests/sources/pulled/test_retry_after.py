"""The Retry-After header, in both of its forms and in none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.pulled.retry_after import retry_after_seconds
from marketdata_pipelines_tests.builders import us

NOW = us("2024-03-08 14:30")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", None),
        ("-3", None),
        ("Fri, 08 Mar 2024 14:30:45 GMT", 45.0),
        ("Fri, 08 Mar 2024 09:31:00 -0500", 60.0),
        ("Fri, 08 Mar 2024 14:31:00 -0000", 60.0),
        ("Fri, 08 Mar 2024 14:00:00 GMT", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_it_names_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds


@given(st.text(max_size=40))
def test_any_text_is_a_wait_or_none(text: str) -> None:
    seconds = retry_after_seconds(text, NOW)

    assert seconds is None or seconds >= 0
