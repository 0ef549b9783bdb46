"""How yfinance's requests go out, and what Yahoo's refusals and faults mean: no bar changes by them."""

import json
from pathlib import Path

import pytest

from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines_tests.sources.vendor_server import HTML_PAGE, Answer, Breakage, Fault, VendorServer
from marketdata_pipelines_tests.sources.yfinance.pulls import FRIDAY, NOW, Pull, with_prices, yahoo_feed
from marketdata_pipelines_tests.sources.yfinance.yahoo import CRUMB, Yahoo, chart, refusal

yfinance = pytest.importorskip(
    "yfinance", reason="the extra yfinance is not installed: pip install 'marketdata-pipelines[yfinance]'"
)


LONG_WAIT = Answer(b"Edge: Too Many Requests", 429, {"Retry-After": "90", "Content-Type": "text/html"})
FAULTS: dict[str, list[Fault]] = {
    "429 with Retry-After": [LONG_WAIT],
    "429 without": [Answer(b"Edge: Too Many Requests", 429)] * 2,
    "999": [Answer(b"Request denied", 999)],
    "500": [Answer(b"oops", 500), Answer(b"oops", 500)],
    "503 with Retry-After": [Answer(b"", 503, {"Retry-After": "30"})],
    "502 page of a proxy": [Answer(b"<html>bad gateway</html>", 502)],
    "HTML with status 200": [HTML_PAGE],
    "down": [Answer(b"<html>Will be right back</html>", 200, {"Content-Type": "text/html"})],
    "timeout": [Breakage.TIMEOUT],
    "reset": [Breakage.RESET, Breakage.RESET],
    "truncated": [Breakage.TRUNCATED],
    "cut JSON that looks whole": [Breakage.HALF_WITH_RIGHT_LENGTH],
    "nothing": [Answer(b"")],
    "null": [Answer(b"null"), Answer(b'{"chart":null}'), Answer(b'{"chart":{"result":[],"error":null}}')],
    "internal error in band": [refusal("internal-error", "Internal server error", 200)],
    "too many in band": [refusal("Too Many Requests", "Rate limited", 200)],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_changes_no_bar(kind: str, tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        server.fault("/v8/finance/chart", *FAULTS[kind])
        pull = Pull(yahoo_feed(server), tmp_path)
        found = pull.rows()

    assert found == with_prices(FRIDAY)
    assert server.faults_left == 0
    assert pull.caller.calls == len(server.requests)


@pytest.mark.parametrize("kind", ["429 without", "500", "timeout", "reset", "HTML with status 200"])
def test_trouble_with_the_crumb_changes_no_bar(kind: str, tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        server.fault("/v1/test/getcrumb", *FAULTS[kind])
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == with_prices(FRIDAY)


def test_without_any_cookie_the_bars_come_all_the_same(tmp_path: Path) -> None:
    yahoo = Yahoo({"AAPL": FRIDAY})
    with VendorServer(lambda path, query: yahoo(path, query) if "chart" in path else Answer(b"no", 500)) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == with_prices(FRIDAY)


def test_a_stale_crumb_is_renewed(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY}, stale_crumbs=1)) as server:
        found = Pull(yahoo_feed(server), tmp_path).rows()

    assert found == with_prices(FRIDAY)


def test_a_crumb_refused_twice_is_a_refusal(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY}, stale_crumbs=99)) as server:
        pull = Pull(yahoo_feed(server), tmp_path)

        with pytest.raises(SourceRejected, match="with fresh cookies too"):
            pull.pages()

    assert server.count("/v8/finance/chart") == 2


def test_every_request_is_a_call_and_the_crumb_is_in_no_record(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        pull = Pull(yahoo_feed(server), tmp_path)
        page = pull.pages()[0]

    assert pull.caller.calls == len(server.requests) == 4
    assert server.count("crumb=") == 1
    assert "crumb" not in page.payload.request
    assert CRUMB not in page.payload.request
    assert page.payload.request.startswith(
        "GET /v8/finance/chart/AAPL?period1=1709908200&period2=1709931600&interval=1m"
    )


def test_every_answer_is_kept_with_what_its_prices_are(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        page = Pull(yahoo_feed(server), tmp_path).pages()[0]

    assert page.payload.request.endswith("[adjusted: split]")


def test_the_payload_is_the_chart_to_the_byte_and_the_clock_was_read_before(tmp_path: Path) -> None:
    yahoo = Yahoo({"AAPL": FRIDAY})
    with VendorServer(yahoo) as server:
        pull = Pull(yahoo_feed(server), tmp_path)
        page = pull.pages()[0]

    assert page.payload.content == json.dumps(chart("AAPL", FRIDAY, "1m", yahoo)).encode()
    assert NOW < page.payload.received_us <= pull.clock.now_us


def test_yahoos_own_words_about_a_window_reach_the_user_at_once(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY}, keeps_from=2**40)) as server:
        pull = Pull(yahoo_feed(server), tmp_path)

        with pytest.raises(SourceRejected, match="must be within the last 30 days"):
            pull.pages()

    assert server.count("/v8/finance/chart") == 1


def test_an_unknown_symbol_is_refused_at_once(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        pull = Pull(yahoo_feed(server), tmp_path)

        with pytest.raises(SourceRejected, match="no such symbol for Yahoo's bars of NOSUCH"):
            pull.pages(symbol="NOSUCH")

    assert server.count("/v8/finance/chart") == 1


NO_BARS = {
    "a holiday": None,
    "before the listing": refusal("Bad Request", "Data doesn't exist for startDate = 1, endDate = 2", 400),
    "after the delisting": refusal("Not Found", "No data found for this date range, symbol may be delisted", 404),
}


@pytest.mark.parametrize("kind", NO_BARS)
def test_a_window_without_bars_is_an_answer(kind: str, tmp_path: Path) -> None:
    answer = NO_BARS[kind]
    with VendorServer(Yahoo({"AAPL": []})) as server:
        if answer is not None:
            server.fault("/v8/finance/chart", answer)
        pages = Pull(yahoo_feed(server), tmp_path).pages()

    assert [page.bars.num_rows for page in pages] == [0]
    assert pages[0].payload.content.startswith(b'{"chart"')
    assert server.count("/v8/finance/chart") == 1


def test_yahoo_that_stays_broken_is_unavailable(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        server.fault("/v8/finance/chart", *[HTML_PAGE] * 8)

        with pytest.raises(SourceUnavailable, match=r"tried 8 times: Yahoo's answer is no chart: .<html><body>"):
            Pull(yahoo_feed(server), tmp_path).pages()


def test_yfinances_settings_are_left_as_they_were(tmp_path: Path) -> None:
    with VendorServer(Yahoo({"AAPL": FRIDAY})) as server:
        Pull(yahoo_feed(server), tmp_path).pages()

    assert yfinance.config.debug.hide_exceptions is True
