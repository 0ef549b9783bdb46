"""Whatever a source says is text of the page, and numbers never look better than they are."""

import shlex
from datetime import date

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.quality.report.markup import (
    change_text,
    command,
    count_text,
    day_text,
    instant_argument,
    instant_text,
    named,
    number_text,
    percent_text,
    range_text,
    safe_url,
    score_text,
    text,
)
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.report.reports import PageReader


@settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=200)
@given(st.text())
def test_any_text_stays_text(value: str) -> None:
    page = PageReader(f'<p title="{text(value)}">{text(value)}</p>')

    assert [tag for tag, _ in page.elements] == ["p"]
    assert "".join(page.texts.get("p", [])).isprintable()


@settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=200)
@given(st.lists(st.text(), min_size=1))
def test_a_command_is_split_into_the_words_it_was_made_of(words: list[str]) -> None:
    assert shlex.split(command(*words)) == words


def test_characters_that_cannot_be_seen_are_written_out() -> None:
    assert text("A\x00B\u202eC\n<b>") == "A\\x00B\\u202eC\\x0a&lt;b&gt;"
    assert text("\U000e0001") == "\\U000e0001"


def test_a_symbol_that_is_none_or_empty_is_named() -> None:
    assert named(None) == "<i>all symbols</i>"
    assert named("") == "<i>no symbol</i>"
    assert named("=cmd|x") == "<bdi>=cmd|x</bdi>"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("../../docs/index.html", True),
        ("http://127.0.0.1:3000/runs/1", True),
        ("https://dagster.example/runs/1", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_only_links_to_pages_are_links(url: str | None, safe: bool) -> None:
    assert safe_url(url) == (url if safe else None)


def test_a_score_is_never_rounded_up() -> None:
    assert [score_text(value) for value in (99.99, 89.99, 97.3, 100.0, 0.0, None)] == [
        "99.9", "89.9", "97.3", "100.0", "0.0", "–",
    ]  # fmt: skip


def test_a_share_is_none_or_all_only_where_it_is() -> None:
    assert [percent_text(share) for share in (0.0, 0.0001, 0.125, 0.9999, 1.0)] == [
        "0 %", "<0.1 %", "12.5 %", ">99.9 %", "100 %",
    ]  # fmt: skip


def test_numbers_have_six_digits_and_a_real_minus() -> None:
    assert number_text(123456.789) == "123,457"
    assert number_text(-0.05) == "−0.05"
    assert number_text(1e-7) == "1e-07"
    assert number_text(0.0) == "0"
    assert number_text(None) == "–"
    assert (count_text(1234567), count_text(-5), count_text(None)) == ("1,234,567", "−5", "–")
    assert (change_text(1.25), change_text(-3.0)) == ("+1.2", "−3.0")


def test_days_and_instants_do_not_depend_on_a_locale() -> None:
    assert day_text(date(2024, 1, 5)) == "Fri 5 Jan 2024"
    assert range_text(date(2024, 1, 5), date(2024, 1, 5)) == "Fri 5 Jan 2024"
    assert range_text(date(2023, 12, 29), date(2024, 1, 5)) == "Fri 29 Dec 2023 – Fri 5 Jan 2024"
    assert instant_text(us("2024-01-05 14:30")) == "2024-01-05 14:30"
    assert instant_text(us("2024-01-05 14:30:05")) == "2024-01-05 14:30:05"
    assert instant_argument(us("2024-01-05 14:30") + 1_500) == "2024-01-05T14:30:00.0015Z"
