import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.sketch import Sketch, sketch_tables
from marketdata_pipelines.orchestration.assets.plots import SHOWN_AT_ONCE, plot_markdown
from marketdata_pipelines_tests.builders import Row, bar, bar_table, minutes


def sketched(rows: list[Row]) -> Sketch:
    found = sketch_tables({"validated_bars": bar_table(rows)})
    assert found is not None
    return found


def picture(markdown: str) -> ElementTree.Element:
    found = re.fullmatch(r"!\[.*\]\(<data:image/svg\+xml,(.*)>\)\n\n.*", markdown)
    assert found is not None, markdown
    return ElementTree.fromstring(unquote(found[1]))


def test_the_caption_says_what_is_shown() -> None:
    rows = [*minutes("ALFA", "2024-03-08 14:30", 390), *minutes("BRVO", "2024-03-08 14:30", 10)]

    caption = plot_markdown(sketched(rows)).partition("\n\n")[2]

    assert caption == (
        "**ALFA** (most traded of 2 symbols): 100 to 100.06, +0.06%, 390 bars, 2024-03-08 14:30 to 20:59 UTC"
    )


def test_many_bars_are_a_line_over_volume() -> None:
    svg = picture(plot_markdown(sketched(minutes("ALFA", "2024-03-08 14:30", 390))))

    line, volume = svg.findall("{*}path")
    assert line.get("stroke") == "steelblue"
    assert line.get("fill") == "none"
    assert volume.get("opacity") == ".5"
    assert [text.text for text in svg.findall("{*}text")] == ["100.11", "99.95"]


def test_few_bars_are_candles_whose_colour_tells_the_direction() -> None:
    up = [bar("ALFA", f"2024-03-08 14:3{n}", open=10.0, high=12.0, low=9.0, close=11.0) for n in range(5)]
    down = [bar("ALFA", f"2024-03-08 14:3{n}", open=11.0, high=12.0, low=9.0, close=10.0) for n in range(5, 8)]

    svg = picture(plot_markdown(sketched([*up, *down])))

    bodies = {path.get("stroke"): (path.get("d") or "").count("M") for path in svg.findall("{*}path")}
    assert bodies["steelblue"] == 5
    assert bodies["darkorange"] == 3
    assert bodies["gray"] == 8


def test_unknown_volume_is_left_out() -> None:
    rows = [row | {"volume": None} for row in minutes("ALFA", "2024-03-08 14:30", 60)]

    assert len(picture(plot_markdown(sketched(rows))).findall("{*}path")) == 1


@pytest.mark.parametrize("price", [-5.0, 0.0])
def test_prices_that_are_not_positive_have_no_percentage(price: float) -> None:
    rows = [bar("CL", f"2024-03-08 14:3{n}", price) for n in range(6)]

    assert "%," not in plot_markdown(sketched(rows)).partition("\n\n")[2]


def test_a_symbol_is_text_and_never_markup() -> None:
    rows = minutes("](x) <b>*_`![", "2024-03-08 14:30", 8)

    markdown = plot_markdown(sketched(rows))

    assert "**\\](x) \\<b\\>\\*\\_\\`\\!\\[** (the only symbol)" in markdown
    assert "\\](x)" in markdown.partition("(<data:")[0]


@given(
    symbol=st.text(min_size=1, max_size=80),
    closes=st.lists(st.floats(1e-9, 1e12), min_size=4, max_size=200),
    volumes=st.lists(st.one_of(st.none(), st.floats(0, 1e15)), min_size=200, max_size=200),
)
def test_every_plot_is_short_enough_to_be_shown_at_once_and_is_a_picture(
    symbol: str, closes: list[float], volumes: list[float | None]
) -> None:
    rows = [
        bar(symbol, 1_709_908_200_000_000 + n * 60_000_000, close, volume=volumes[n]) for n, close in enumerate(closes)
    ]

    markdown = plot_markdown(sketched(rows))

    assert len(markdown) <= SHOWN_AT_ONCE
    for path in picture(markdown).findall("{*}path"):
        assert np.isfinite([float(number) for number in re.findall(r"-?\d+", path.get("d") or "")]).all()
