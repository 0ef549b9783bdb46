"""The quality pages over HTTP, from a folder as reports leave it."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.services.quality_pages import feed_headlines, quality_pages
from marketdata_pipelines.pipeline.quality.headlines import SessionScore
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.waiting import wait_until

SCORE = SessionScore("2024-03-08", date(2024, 3, 8), 91.26, "Excellent", "A", {}, 390, 2, 1234, False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A quality folder with a report, a site, and things beside them that are nobody's business."""
    files = {
        "quality/reports/shares/latest.html": "<p>report</p>",
        "quality/reports/shares/index.html": "<p>reports</p>",
        "quality/docs/shares/2024-03/index.html": "<p>docs</p>",
        "quality/docs/shares/2024-03/own.css": "p { color: red }",
        "quality/docs/shares/2024-03/results.json": "{}",
        "quality/docs/shares/.site.lock": "",
        "quality/state/shares/2024-03.json": "{}",
        "feeds.yaml": "feeds: {}",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "quality"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


@dataclass(frozen=True, slots=True)
class Client:
    """Asks a real server; paths are sent as they are."""

    port: int

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", path, headers)


@contextmanager
def serving(routes: Sequence[BaseRoute]) -> Iterator[Client]:
    """The routes on a free port."""
    config = uvicorn.Config(Starlette(routes=list(routes)), log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started or None, "the server's start")
        try:
            yield Client(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    with serving(quality_pages(folder, lambda: [("shares", SCORE), ("coins <b>", None)])) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("reports/shares/latest.html", "text/html; charset=utf-8"),
        ("reports/shares/", "text/html; charset=utf-8"),
        ("docs/shares/2024-03/", "text/html; charset=utf-8"),
        ("docs/shares/2024-03/own.css", "text/css; charset=utf-8"),
    ],
)
def test_pages_are_served_as_what_they_are(client: Client, path: str, kind: str) -> None:
    answer = client.get(f"/quality/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "../feeds.yaml",
        "%2e%2e/feeds.yaml",
        "reports/../../feeds.yaml",
        "reports/%2e%2e/%2e%2e/feeds.yaml",
        "reports/..%2f..%2ffeeds.yaml",
        "reports/%5c..%5c..%5cfeeds.yaml",
        "reports//feeds.yaml",
        "reports/shares%00/latest.html",
        "reports/shares/latest.html/more",
        f"reports/{'a' * 300}.html",
        "state/shares/2024-03.json",
        "docs/shares/2024-03/results.json",
        "docs/shares/.site.lock",
        "docs/",
        "docs/shares/",
        "reports/unknown/latest.html",
    ],
)
def test_nothing_else_is(client: Client, path: str) -> None:
    answer = client.get(f"/quality/{path}")

    assert answer.status_code == 404
    assert "marketdata quality" in answer.text
    assert "feeds: {}" not in answer.text


def test_a_link_out_of_the_folder_is_not_followed(client: Client, folder: Path) -> None:
    (folder.parent / "secret.html").write_text("secret", "utf-8")
    (folder / "reports" / "shares" / "out.html").symlink_to(folder.parent / "secret.html")

    assert client.get("/quality/reports/shares/out.html").status_code == 404


def test_a_missing_report_says_how_it_is_made(client: Client) -> None:
    text = client.get("/quality/reports/a%3Cscript%3Eb/latest.html").text

    assert "marketdata quality a&lt;script&gt;b --report" in text
    assert "<script>" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client: Client, folder: Path, method: str) -> None:
    for path in ("", "reports/shares/latest.html", "reports/shares/new.html"):
        assert client.request(method, f"/quality/{path}").status_code in (404, 405)

    assert not (folder / "reports" / "shares" / "new.html").exists()


def test_a_head_request_gets_no_body(client: Client) -> None:
    answer = client.request("HEAD", "/quality/reports/shares/latest.html")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_browser_asks_whether_a_page_has_changed(client: Client, folder: Path) -> None:
    first = client.get("/quality/reports/shares/latest.html")
    unchanged = client.get("/quality/reports/shares/latest.html", headers={"if-none-match": first.headers["etag"]})
    (folder / "reports" / "shares" / "latest.html").write_text("<p>a newer one</p>", "utf-8")
    changed = client.get("/quality/reports/shares/latest.html", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert unchanged.status_code == 304
    assert (changed.status_code, changed.text) == (200, "<p>a newer one</p>")


def test_the_list_names_every_feed_with_its_grade_and_what_there_is_of_it(client: Client) -> None:
    text = client.get(client.get("/quality").headers["location"]).text

    assert "A (Excellent)" in text
    assert ">91.3<" in text
    assert ">1,234<" in text
    assert '<a href="/quality/reports/shares/latest.html">report</a>' in text
    # There is a month, and no page of all months yet.
    assert "docs/shares/" not in text
    assert "coins &lt;b&gt;" in text
    assert "not judged yet" in text


def test_a_feeds_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    settings = Settings(home=make_home(tmp_path / "data", "feeds: {a: {interval: 1x}}"))

    with serving(quality_pages(tmp_path, lambda: feed_headlines(settings))) as client:
        answer = client.get("/quality/")

    assert answer.status_code == 500
    assert "feeds.yaml, line 1" in answer.text
    with pytest.raises(SettingsInvalid):
        feed_headlines(settings)


def test_pages_made_after_the_start_are_found(tmp_path: Path) -> None:
    page = tmp_path / "quality" / "reports" / "shares" / "latest.html"

    with serving(quality_pages(tmp_path / "quality", list)) as client:
        before = client.get("/quality/reports/shares/latest.html").status_code
        page.parent.mkdir(parents=True)
        page.write_text("now", "utf-8")
        after = client.get("/quality/reports/shares/latest.html").text

    assert (before, after) == (404, "now")
