"""The pages below /quality: reports, Data Docs and a list of feeds, read-only files of the data folder over HTTP.

Only what a browser shows is served (no locks, no stored results), only below `reports` and `docs`, and nothing of it
may reach the network or Dagster's own page: reports tell of strangers' files.
"""

import os
import stat
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.pipeline.quality.headlines import SessionScore, recent_sessions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake

MOUNT = "/quality"
FOLDERS = ("reports", "docs")
_SHOWN = {".html", ".css", ".js", ".svg", ".png", ".ico", ".woff2"}
# A report is made anew under the same address: the browser asks each time whether it has changed.
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
}
_STYLE = """
:root { color-scheme: light dark; --line: #d0d4da; --soft: #57606a; --link: #0b57d0 }
@media (prefers-color-scheme: dark) { :root { --line: #3a4048; --soft: #a4acb6; --link: #8ab4f8 } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } p { margin: .25rem 0 1rem; color: var(--soft) } a { color: var(--link) }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 600; color: var(--soft) } td.n { text-align: right; font-variant-numeric: tabular-nums }
code { font: .9em ui-monospace, monospace }
"""
Headlines = Callable[[], Sequence[tuple[str, SessionScore | None]]]


def quality_routes(settings: Settings) -> list[BaseRoute]:
    """The routes of these pages, for an application that has others too."""
    return quality_pages(settings.folder / "quality", lambda: feed_headlines(settings))


def quality_pages(folder: Path, headlines: Headlines) -> list[BaseRoute]:
    """Serves `folder`; `headlines` names the feeds of the list, with their newest sessions."""

    def index(_request: Request) -> Response:
        try:
            rows = headlines()
        except MarketDataError as error:
            return _page("Quality of all feeds", f"<p>{escape(str(error))}</p>", 500)
        return _page("Quality of all feeds", _table(folder, rows))

    def to_index(_request: Request) -> Response:
        return RedirectResponse(f"{MOUNT}/")

    mounts = [Mount(f"/{name}", _Shown(folder / name), name=f"quality_{name}") for name in FOLDERS]
    return [
        Route(MOUNT, to_index),
        Mount(MOUNT, routes=[Route("/", index), *mounts, Mount("/", _nothing)]),
    ]


def feed_headlines(settings: Settings) -> list[tuple[str, SessionScore | None]]:
    """Every feed of feeds.yaml with its newest scored session."""
    lake = Lake(settings.lake)
    found = []
    for feed in load_feeds(settings.feeds_file):
        newest = recent_sessions(lake, feed, 1)
        found.append((feed, newest[-1] if newest else None))
    return found


class _Shown(StaticFiles):
    """A folder's pages; `index.html` for a folder of it, never a listing."""

    def __init__(self, folder: Path) -> None:
        # It comes to be with the first report.
        super().__init__(directory=folder, html=True, check_dir=False)

    async def check_config(self) -> None:
        """The folder may not be there yet."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        names = path.split(os.sep)
        if any(name.startswith(".") for name in names if name != "."):
            return _missing(names, 404)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            return _missing(names, error.status_code)
        except NotADirectoryError:
            return _missing(names, 404)
        response.headers.update(HEADERS)
        return response

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        found, status = super().lookup_path(path)
        is_kept_back = status is not None and stat.S_ISREG(status.st_mode) and Path(found).suffix not in _SHOWN
        return ("", None) if is_kept_back else (found, status)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await _missing([], 404)(scope, receive, send)


def _missing(names: Sequence[str], status: int) -> Response:
    if status != 404:
        return _page(
            "Only reading is possible here", "<p>Reports are made by <code>marketdata quality</code>.</p>", status
        )
    feed = escape(names[0]) if names and names[0] not in ("", ".") else "FEED"
    text = (
        "<p>This report has not been made yet, or there is nothing of this name.</p>"
        f"<p>Make it: <code>marketdata quality {feed} --report</code>, or materialize the asset "
        f"<code>{feed}/quality_report</code> in Dagster.</p>"
        f'<p><a href="{MOUNT}/">The quality of all feeds</a></p>'
    )
    return _page("Nothing here yet", text, 404)


def _table(folder: Path, rows: Sequence[tuple[str, SessionScore | None]]) -> str:
    if not rows:
        return "<p>feeds.yaml names no feed yet.</p>"
    heads = "".join(
        f"<th scope='col'>{name}</th>" for name in ("Feed", "Grade", "Score", "Session", "Findings", "Pages")
    )
    body = "".join(_row(folder, feed, score) for feed, score in rows)
    return (
        "<p>The newest session of each feed.</p><div class='wide' tabindex='0' role='region' aria-label='Feeds'>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(folder: Path, feed: str, score: SessionScore | None) -> str:
    name = f"<th scope='row'>{escape(feed)}</th>"
    if score is None:
        return f"<tr>{name}<td colspan='5'>not judged yet</td></tr>"
    grade = f"{score.grade} ({score.level})" + (", blocked" if score.blocked else "")
    cells = f"<td>{escape(grade)}</td><td class='n'>{score.score:.1f}</td><td>{score.session}</td>"
    return f"<tr>{name}{cells}<td class='n'>{score.findings:,}</td><td>{_links(folder, feed)}</td></tr>"


def _links(folder: Path, feed: str) -> str:
    pages = {"report": f"reports/{feed}/latest.html", "all reports": f"reports/{feed}/", "Data Docs": f"docs/{feed}/"}
    there = {
        text: place
        for text, place in pages.items()
        if (folder / place / ("index.html" * place.endswith("/"))).is_file()
    }
    links = [f'<a href="{MOUNT}/{quote(place)}">{text}</a>' for text, place in there.items()]
    return ", ".join(links) or f"<code>marketdata quality {escape(feed)} --report</code>"


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(html, status, HEADERS)
