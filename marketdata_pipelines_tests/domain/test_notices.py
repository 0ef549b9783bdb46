import pytest

from marketdata_pipelines.domain.notices import Happening, NoticeKind, compose


def failed(number: int, text: str = "no disk") -> Happening:
    return Happening(
        id=f"failure {number}",
        kind=NoticeKind.FAILURE,
        feed="shares",
        subject="shares__day",
        text=text,
        at_us=number,
        where="2024-03-08",
        advice="Mend it.",
        link=f"http://x/runs/{number}",
    )


def test_one_happening_is_told_whole() -> None:
    notice = compose([failed(1)])

    assert notice.title == "shares__day failed"
    assert notice.lines == ("shares__day 2024-03-08: no disk", "Mend it.")
    assert notice.text == "shares__day failed\n\nshares__day 2024-03-08: no disk\nMend it.\nhttp://x/runs/1"


def test_forty_failures_are_one_notice_with_the_first_ones_and_one_advice() -> None:
    notice = compose([failed(number) for number in range(40)])

    assert notice.title == "shares: 40 runs failed"
    assert len(notice.lines) == 12
    assert notice.lines[-2:] == ("… and 30 more", "Mend it.")
    assert notice.link == "http://x/runs/0"


def test_a_reason_of_many_lines_is_one_line_of_bounded_length() -> None:
    notice = compose([failed(1, "a\n  b" + "x" * 2000)])

    assert notice.lines[0].startswith("shares__day 2024-03-08: a bxxx")
    assert len(notice.lines[0]) < 640


def test_nothing_is_no_notice() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compose([])
