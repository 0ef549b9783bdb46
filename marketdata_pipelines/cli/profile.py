"""`marketdata profile`: what a feed's bars look like, which limits they suggest, and expectations made of them."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AsJson, End, FeedName, Start, Symbols, split_symbols


def profile(
    feed: FeedName,
    start: Start = None,
    end: End = None,
    symbols: Symbols = None,
    write_expectations: Annotated[
        bool,
        typer.Option("--write-expectations", help="Write expectations/FEED/profiled.yaml below the data folder."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a profiled.yaml that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Statistics of a feed's validated bars: columns, returns, ranges, gaps by session, the best and worst symbols.

    Then limits for its quality rules that nearly all of these bars keep to, as lines for feeds.yaml with the reason of
    each. Quantiles are right to 0.1 %; everything else is exact, but for many distinct values.

    [bold]Examples[/bold]

    marketdata profile us_equities_1m

    marketdata profile us_equities_1m --start 2024-01-01 --symbols SPY,IBM --json

    marketdata profile us_equities_1m --write-expectations
    """
    if force and not write_expectations:
        raise typer.BadParameter("--force replaces what --write-expectations writes; give both")
    from marketdata_pipelines.cli.profile_report import print_profile, profile_json
    from marketdata_pipelines.cli.progress import progress_bar
    from marketdata_pipelines.domain.quality.suggestions import suggest_limits
    from marketdata_pipelines.pipeline.quality import profiling
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range
    from marketdata_pipelines.settings.environment import Settings

    reader = LakeReader()
    definition, span, chosen = reader.feed(feed), date_range(start, end), split_symbols(symbols)
    question = profiling.ProfileQuestion(span.start_date, span.end_date, None if chosen is None else tuple(chosen))
    with progress_bar(feed, len(profiling.stored_keys(reader.lake, definition, question))) as bar:
        figures = profiling.profile_feed(reader.lake, definition, question, on_partition=lambda _: bar.advance())
    suggestions = suggest_limits(figures.columns, figures.standstill)
    path = None
    if write_expectations:
        folder = Settings().folder / "expectations" / feed
        text = profiling.profiled_expectations(definition, figures)
        path = profiling.write_expectations(folder, text, force=force)
    if as_json:
        print(profile_json(feed, figures, suggestions, path))
    else:
        print_profile(feed, figures, suggestions, path)
