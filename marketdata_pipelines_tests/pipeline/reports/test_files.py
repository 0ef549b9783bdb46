"""Where reports lie: whole files, the newest one twice, and a list of all."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.pipeline.reports.files import report_name, reports_folder, write_index, write_report
from marketdata_pipelines.quality.report.records import ReportData
from marketdata_pipelines_tests.quality.report.reports import report


def of(start: str, end: str | None = None) -> ReportData:
    return report(start=date.fromisoformat(start), end=date.fromisoformat(end or start))


def names(home: Path) -> list[str]:
    return sorted(path.name for path in reports_folder(home, "stocks_1m").glob("*.html"))


def test_a_day_and_a_range_have_their_own_pages(tmp_path: Path) -> None:
    day, whole = write_report(tmp_path, of("2024-01-05")), write_report(tmp_path, of("2024-01-02", "2024-01-05"))

    assert day == tmp_path / "quality" / "reports" / "stocks_1m" / "2024-01-05.html"
    assert whole.name == report_name(date(2024, 1, 2), date(2024, 1, 5)) == "2024-01-02_2024-01-05.html"
    assert names(tmp_path) == ["2024-01-02_2024-01-05.html", "2024-01-05.html", "index.html", "latest.html"]
    assert [path.name for path in day.parent.iterdir() if path.suffix == ".tmp"] == []


def test_the_latest_is_the_one_that_ends_last(tmp_path: Path) -> None:
    newest = write_report(tmp_path, of("2024-01-05"))
    write_report(tmp_path, of("2024-01-04"))

    latest = newest.with_name("latest.html")
    assert latest.read_bytes() == newest.read_bytes()

    next_one = write_report(tmp_path, of("2024-01-08"))
    assert latest.read_bytes() == next_one.read_bytes()


def test_the_list_names_the_newest_first_and_skips_strange_files(tmp_path: Path) -> None:
    for day in ("2024-01-04", "2024-01-05"):
        write_report(tmp_path, of(day), index=False)
    folder = reports_folder(tmp_path, "stocks_1m")
    (folder / "2024-01-03.html").write_text("no report", "utf-8")
    (folder / "2024-99-99.html").write_text("no date", "utf-8")
    assert not (folder / "index.html").exists()

    content = write_index(tmp_path, "stocks_1m").read_text("utf-8")

    assert content.index('href="2024-01-05.html"') < content.index('href="2024-01-04.html"')
    assert "2024-01-03.html" not in content
    assert "2 reports" in content


def test_many_writers_leave_whole_pages_and_the_newest(tmp_path: Path) -> None:
    reports = [of(f"2024-01-{day:02d}") for day in range(1, 25)]

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda data: write_report(tmp_path, data), reports))

    folder = paths[0].parent
    assert all(path.read_text("utf-8").endswith("</html>\n") for path in folder.glob("*.html"))
    assert (folder / "latest.html").read_bytes() == (folder / "2024-01-24.html").read_bytes()
    assert "24 reports" in write_index(tmp_path, "stocks_1m").read_text("utf-8")


def test_an_empty_list_is_a_page_too(tmp_path: Path) -> None:
    assert "There are none yet" in write_index(tmp_path, "stocks_1m").read_text("utf-8")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "quality").write_text("in the way", "utf-8")

    with pytest.raises(StoreError, match=r"2024-01-05\.html cannot be written"):
        write_report(tmp_path, of("2024-01-05"))
    assert os.listdir(tmp_path) == ["quality"]
