"""A table of the page: in a region that scrolls by itself where the page is narrower than the table."""

from collections.abc import Sequence

from marketdata_pipelines.quality.report.markup import attributes, joined


def table(
    label: str,
    columns: Sequence[tuple[str, str]],
    rows: str,
    *,
    id_: str | None = None,
    class_: str | None = None,
    tall: bool = False,
) -> str:
    """`columns` are names with their class, which is `n` for numbers; `rows` are HTML. `tall` ones scroll downwards."""
    heads = joined(f'<th scope="col"{attributes(class_=kind or None)}>{name}</th>' for name, kind in columns)
    region = attributes(class_="scroll tall" if tall else "scroll", role="region", aria_label=label, tabindex=0)
    return (
        f"<div{region}><table{attributes(id=id_, class_=class_)}><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def numbers(*shown: str) -> str:
    """Cells of numbers."""
    return joined(f'<td class="n">{each}</td>' for each in shown)
