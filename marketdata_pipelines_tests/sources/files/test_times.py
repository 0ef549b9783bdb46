"""The time format of a file is told from its cells."""

import pytest

from marketdata_pipelines.sources.files.times import guess_format


def cells(template: str, values: range) -> list[str]:
    return [template.format(value) for value in values]


@pytest.mark.parametrize(
    ("sample", "time_format", "aware"),
    [
        (cells("2013-10-07T13:{:02d}:00Z", range(9)), "iso", True),
        (cells("2013-10-07 13:{:02d}", range(9)), "iso", False),
        (cells("13814118{:02d}", range(9)), "epoch_s", True),
        (cells("13814118{:02d}000", range(9)), "epoch_ms", True),
        (cells("13814118{:02d}000000", range(9)), "epoch_us", True),
        (cells("13814118{:02d}000000000", range(9)), "epoch_ns", True),
        (cells("1381411800.{:02d}", range(9)), "epoch_s", True),
        (cells("201310{:02d}", range(1, 9)), "%Y%m%d", False),
        (cells("201310071{:03d}", range(9)), "%Y%m%d%H%M", False),
        (cells("20120201 0000{:02d}", range(9)), "%Y%m%d %H%M%S", False),
        (cells("01.02.2012 00:{:02d}:00.000", range(9)), "%d.%m.%Y %H:%M:%S.%f", False),
        (cells("2012.02.01 00:{:02d}", range(9)), "%Y.%m.%d %H:%M", False),
    ],
)
def test_format_is_recognised(sample: list[str], time_format: str, aware: bool) -> None:
    guess = guess_format(sample)

    assert guess is not None
    assert (guess.time_format, guess.aware) == (time_format, aware)


def test_a_day_over_twelve_decides_the_order() -> None:
    guess = guess_format(["01/02/2020", "02/02/2020", "13/02/2020"])

    assert guess is not None
    assert guess.time_format == "%d/%m/%Y"


def test_without_a_day_over_twelve_the_smoother_order_wins() -> None:
    days_first = guess_format(["10/04/2013", "11/04/2013", "12/04/2013"])
    months_first = guess_format(["04/10/2013", "04/11/2013", "04/12/2013"])

    assert days_first is not None
    assert months_first is not None
    assert (days_first.time_format, months_first.time_format) == ("%d/%m/%Y", "%m/%d/%Y")


def test_a_few_bad_cells_do_not_hide_the_format() -> None:
    guess = guess_format(["1381411800000", "1381411860", "1381411920", "x", "", "1381411980"])

    assert guess is not None
    assert guess.time_format == "epoch_s"


def test_words_are_no_times() -> None:
    assert guess_format(["hello", "world", "monday"]) is None
