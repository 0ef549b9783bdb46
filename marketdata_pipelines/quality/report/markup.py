"""Text, numbers and instants as HTML: the one place where what came from sources becomes part of a page.

Everything a source may have said goes through `text`: it is shown as it is, never run, and what cannot be seen is
written out.
"""

import html
import shlex
from collections.abc import Iterable
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

MINUS, NOTHING = "\N{MINUS SIGN}", "\N{EN DASH}"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def visible(value: str) -> str:
    """With characters that cannot be seen, or change the order of others, written as escapes such as `\\x1b`."""
    if value.isprintable():
        return value
    return "".join(each if each.isprintable() else _escape(each) for each in value)


def text(value: object) -> str:
    """Anything as text of a page or of an attribute in double quotes."""
    return html.escape(visible(str(value)), quote=True)


def named(symbol: str | None) -> str:
    """A symbol, which may be written in any direction, or what stands for none."""
    if symbol is None:
        return "<i>all symbols</i>"
    return f"<bdi>{text(symbol)}</bdi>" if symbol else "<i>no symbol</i>"


def attributes(**values: object) -> str:
    """` name="value"` of each that is not None; `_` in a name stands for `-`, at its end for nothing."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in values.items() if value is not None
    )


def safe_url(url: str | None) -> str | None:
    """A link's address, or None where it would do anything but lead to a page."""
    try:
        return url if url is not None and urlsplit(url).scheme in ("", "http", "https") else None
    except ValueError:
        return None


def command(*words: str) -> str:
    """A command line as a person can paste it into a shell, whatever its words hold."""
    return " ".join(shlex.quote(word) for word in words)


def score_text(score: float | None) -> str:
    """A score with one decimal; never rounded up to 100, nor to the threshold of a better grade."""
    return NOTHING if score is None else f"{int(score * 10 + 1e-6) / 10:.1f}"


def change_text(change: float) -> str:
    """A difference with its sign."""
    sign = MINUS if change < 0 else "+"
    return f"{sign}{abs(change):.1f}"


def count_text(count: int | None) -> str:
    """A count with its thousands parted."""
    return NOTHING if count is None else f"{count:,}".replace("-", MINUS)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with what it is of: `1 row`, `2 rows`."""
    return f"{count_text(count)} {noun if count == 1 else plural or noun + 's'}"


def number_text(value: float | None) -> str:
    """A measured number with six significant digits at most."""
    if value is None:
        return NOTHING
    plain = f"{value:,.6g}" if 1e-4 <= abs(value) < 1e9 or value == 0 else f"{value:.4g}"
    return plain.replace("-", MINUS, 1) if value < 0 else plain


def percent_text(share: float) -> str:
    """A share as a percentage that is zero, or whole, only where it is."""
    percent = 100.0 * share
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.0f} %" if percent in (0.0, 100.0) else f"{percent:.1f} %"


def day_text(day: date) -> str:
    """`Fri 5 Jan 2024`, in any locale."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def range_text(start: date, end: date) -> str:
    """One day, or two with a dash."""
    return day_text(start) if start == end else f"{day_text(start)} {NOTHING} {day_text(end)}"


def month_text(day: date) -> str:
    """`Jan 2024`."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


def instant_text(us: int) -> str:
    """An instant (UTC microseconds) as `2024-01-05 14:30`, with seconds only where there are any."""
    return _instant(us, " ", "")


def instant_argument(us: int) -> str:
    """An instant as commands take it: `2024-01-05T14:30Z`."""
    return _instant(us, "T", "Z")


def clock_text(us: int) -> str:
    """The time of day of an instant."""
    return _instant(us, " ", "").split(" ")[1]


def joined(pieces: Iterable[str]) -> str:
    """Pieces of a page one after the other."""
    return "".join(pieces)


def _instant(us: int, between: str, zone: str) -> str:
    moment = datetime.fromtimestamp(us // 1_000_000, UTC)
    fraction = us % 1_000_000
    seconds = f":{moment:%S}" if moment.second or fraction else ""
    seconds += f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{moment:%Y-%m-%d}{between}{moment:%H:%M}{seconds}{zone}"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"
