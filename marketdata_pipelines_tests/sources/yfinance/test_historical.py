"""yfinance's own client against Yahoo on this machine: spans, dates, volumes, and the rows Yahoo gives beside bars."""

import importlib
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.yfinance.historical import open_source
from marketdata_pipelines_tests.builders import us, utc
from marketdata_pipelines_tests.sources.vendor_server import VendorServer
from marketdata_pipelines_tests.sources.yfinance.pulls import FRIDAY, NOW, Pull, with_prices, yahoo_feed
from marketdata_pipelines_tests.sources.yfinance.yahoo import Row, Yahoo, minutes

yfinance = pytest.importorskip(
    "yfinance", reason="the extra yfinance is not installed: pip install 'marketdata-pipelines[yfinance]'"
)


def test_a_session_comes_whole_with_unknown_volumes_as_unknown(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == with_prices(FRIDAY)


def test_a_window_asked_again_is_asked_of_yahoo_again(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        pull = Pull(yahoo_feed(server), tmp_path)
        pull.pages()
        server.answering = Yahoo({"AAPL": FRIDAY[:20]})
        found = pull.rows()

    assert found == with_prices(FRIDAY[:20])


def test_without_yfinance_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)

    with VendorServer(Yahoo({})) as server, pytest.raises(SettingsInvalid, match=r"'marketdata-pipelines\[yfinance\]'"):
        open_source(yahoo_feed(server), lambda: NOW)


def test_minutes_are_asked_for_a_week_at_a_time(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        pull = Pull(yahoo_feed(server), tmp_path)
        window = us("2024-02-20 00:00"), us("2024-03-09 00:00")
        found = pull.rows(*window)
        estimate = pull.source.calls(["AAPL"], *window)

    assert found == with_prices(FRIDAY)
    assert server.count("/v8/finance/chart") == estimate.calls == 3


@pytest.mark.parametrize(("interval", "days"), [("1m", 30), ("5m", 60), ("1h", 730)])
def test_what_yahoo_keeps_no_more_is_refused_before_any_call(interval: str, days: int, tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        pull = Pull(yahoo_feed(server, interval), tmp_path)
        start = NOW - (days + 1) * DAY_US

        with pytest.raises(SourceRejected, match=f"keeps bars of {interval} for {days} days"):
            pull.pages(start, start + DAY_US)

    assert server.requests == []


def test_minutes_that_all_lack_prices_are_no_bars(tmp_path: Path) -> None:
    nothing: list[Row] = [(row[0], None, None, None, None, None) for row in FRIDAY]
    with VendorServer(Yahoo({"AAPL": nothing})) as server:
        pages = Pull(yahoo_feed(server), tmp_path).pages()

    assert [page.bars.num_rows for page in pages] == [0]


def test_a_minute_that_lacks_one_price_is_kept_for_the_rules_to_judge(tmp_path: Path) -> None:
    rows = [*FRIDAY[:3], (FRIDAY[3][0], None, *FRIDAY[3][2:])]
    with VendorServer(Yahoo({"AAPL": rows})) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == rows


def test_the_live_row_is_part_of_the_running_minute(tmp_path: Path) -> None:
    now = us("2024-03-08 14:35") + 37_000_000
    running, live = FRIDAY[5], (FRIDAY[5][0] + 30, 171.0, 171.0, 171.0, 171.0, 0)
    with VendorServer(Yahoo({"AAPL": [*FRIDAY[:6], live]})) as server:
        page = Pull(yahoo_feed(server), tmp_path, now).pages()[0]

    last = page.bars.to_pylist()[-1]
    assert page.bars.num_rows == 6
    assert utc(int(last["ts"].timestamp() * 1_000_000)) == "2024-03-08 14:35"
    assert (last["open"], last["close"], last["volume"]) == (running[1], 171.0, running[5])


def test_repeated_rows_come_once(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": sorted([*FRIDAY[:6], *FRIDAY[2:4]])})) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == FRIDAY[:6]


def test_half_hours_are_made_of_quarters_and_keep_unknown_volumes_unknown(tmp_path: Path) -> None:
    quarters = minutes("2024-03-08 14:30", 6, step=900)
    quarters[3] = (*quarters[3][:5], None)
    with VendorServer(Yahoo({"AAPL": quarters})) as server:
        found = Pull(yahoo_feed(server, "30m"), tmp_path).rows()

    assert server.count("interval=15m") == 1
    assert [row[0] for row in found] == [quarters[0][0], quarters[2][0], quarters[4][0]]
    assert [row[5] for row in found] == [2001, None, 2009]
    assert [row[4] for row in found] == [quarters[1][4], quarters[3][4], quarters[5][4]]


@pytest.mark.parametrize(
    ("zone", "opens"), [("America/New_York", "14:30"), ("Asia/Tokyo", "00:00"), ("Australia/Sydney", "23:00")]
)
def test_daily_bars_carry_the_date_of_their_exchange(zone: str, opens: str, tmp_path: Path) -> None:
    first = "2024-03-03" if opens == "23:00" else "2024-03-04"
    days = minutes(f"{first} {opens}", 5, step=86_400)
    days[2] = (*days[2][:5], None)
    with VendorServer(Yahoo({"AAPL": days}, zone=zone)) as server:
        found = Pull(yahoo_feed(server, "1d"), tmp_path).rows(us("2024-03-04 00:00"), us("2024-03-09 00:00"))

    assert [utc(row[0] * 1_000_000) for row in found] == [f"2024-03-0{day} 00:00" for day in range(4, 9)]
    assert [row[1:] for row in found] == [row[1:] for row in days]


def test_prices_are_not_adjusted_for_dividends(tmp_path: Path) -> None:
    days = minutes("2024-03-04 14:30", 2, step=86_400)
    with VendorServer(Yahoo({"AAPL": days})) as server:
        found = Pull(yahoo_feed(server, "1d"), tmp_path).rows(us("2024-03-04 00:00"), us("2024-03-06 00:00"))

    assert [row[4] for row in found] == [row[4] for row in days]


def test_a_split_in_the_window_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = {"1709649000": {"date": 1709649000, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}}
    days = minutes("2024-03-04 14:30", 4, step=86_400)
    with VendorServer(Yahoo({"AAPL": days}, splits=split)) as server, caplog.at_level("WARNING"):
        found = Pull(yahoo_feed(server, "1d"), tmp_path).rows(us("2024-03-04 00:00"), us("2024-03-08 00:00"))

    assert len(found) == 4
    assert "a split in this window" in caplog.text


def test_currencies_have_no_volume(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"EURUSD=X": FRIDAY[:5]}, instrument="CURRENCY")) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows(symbol="EURUSD=X")

    assert [row[5] for row in found] == [None] * 5


def test_extended_hours_are_asked_for_where_the_feed_has_them(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        Pull(yahoo_feed(server), tmp_path).pages()
        Pull(yahoo_feed(server, extended_hours=(time(4), time(20))), tmp_path).pages()

    assert [server.count("includePrePost=false"), server.count("includePrePost=true")] == [1, 1]
